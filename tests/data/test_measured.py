"""One split alone, labelled or not."""

from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from timm_multimix.data.labels import ModelNames
from timm_multimix.data.measured import Relabelled, load_pictures, load_split
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError


def write_parquet(
    directory: Path,
    split: str,
    labels: list[object] | None,
    count: int = 3,
    names: list[str] | None = None,
) -> None:
    pictures = [Image.new("RGB", (4, 4), (10 * n, 0, 0)) for n in range(count)]
    columns: dict[str, list[object]] = {"image": list(pictures)}
    features: dict[str, object] = {"image": datasets.Image()}
    if labels is not None:
        columns["label"] = labels
        plain = datasets.Value("int64" if isinstance(labels[0], int) else "string")
        features["label"] = datasets.ClassLabel(names=names) if names else plain
    directory.mkdir(exist_ok=True)
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    table.to_parquet(str(directory / f"{split}-0.parquet"))


def labels_of(split: object) -> list[int]:
    return [split.source[n][1] for n in range(len(split.source))]  # type: ignore[attr-defined]


def test_the_split_is_that_of_training() -> None:
    alone, both = load_split("digits"), load_splits("digits")
    assert (alone.name, alone.class_names, alone.defaults) == ("test", both.class_names, both.defaults)
    assert len(alone.source) == 360
    assert np.array_equal(np.asarray(alone.source[7][0]), np.asarray(both.evaluation[7][0]))
    assert len(load_split("digits", val_split="train", class_names=both.class_names).source) == 1437


def test_a_test_split_alone_will_do(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", "test", [2, 0, 1])
    found = load_split(str(tmp_path / "data"))
    assert (found.name, found.class_names, labels_of(found)) == ("test", ["0", "1", "2"], [2, 0, 1])
    with pytest.raises(UsageError, match="no train split"):
        load_splits(str(tmp_path / "data"))


def test_labels_that_a_split_does_not_name_are_the_models(tmp_path: Path) -> None:
    write_parquet(tmp_path / "words", "test", ["cat", "dog", "cat"])
    found = load_split(str(tmp_path / "words"), class_names=["ape", "dog", "cat"])
    assert (found.class_names, labels_of(found)) == (["ape", "dog", "cat"], [2, 1, 2])
    write_parquet(tmp_path / "numbers", "test", [2, 0, 9])
    with pytest.raises(UsageError, match=r"label 9 of row 2 .* 0\.\.2 \(3 classes\)"):
        load_split(str(tmp_path / "numbers"), class_names=["ape", "dog", "cat"])


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (["dog", "cat", "ape"], ["0", "1", "2"]),
        (["1", "0", "2"], ["0", "1", "2"]),
        (["0", "1", "2", "3"], ["0", "1", "2", "3"]),
        (["0", "1", "2", "unused 3"], ["0", "1", "2"]),
    ],
)
def test_a_models_names_are_no_names_of_numbers(model: list[str], names: list[str], tmp_path: Path) -> None:
    """Which number is which class is known only where the names are the numbers themselves."""
    write_parquet(tmp_path / "numbers", "test", [2, 0, 1])
    found = load_split(str(tmp_path / "numbers"), class_names=ModelNames(model))
    assert (found.class_names, labels_of(found)) == (names, [2, 0, 1])
    write_parquet(tmp_path / "from one", "test", [2, 3, 1])
    found = load_split(str(tmp_path / "from one"), class_names=ModelNames(["1", "2", "3"]))
    assert (found.class_names, labels_of(found)) == (["1", "2", "3"], [1, 2, 0])
    write_parquet(tmp_path / "words", "test", ["cat", "dog", "cat"])
    known = ModelNames(["ape", "dog", "cat"])
    assert labels_of(load_split(str(tmp_path / "words"), class_names=known)) == [2, 1, 2]


def test_numbers_are_named_by_their_own_training_split(tmp_path: Path) -> None:
    """So a run is evaluated on its own data as in training, and other data with names by these."""
    write_parquet(tmp_path / "data", "train", [0, 1, 1], names=["cat", "dog"])
    write_parquet(tmp_path / "data", "test", [1, 0, 1])
    for names in (["cat", "dog"], ["dog", "cat"]):
        found = load_split(str(tmp_path / "data"), class_names=ModelNames(names))
        assert (found.class_names, labels_of(found)) == (["cat", "dog"], [1, 0, 1])


def test_without_a_models_names_they_are_the_training_splits(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", "train", ["a", "b", "c"])
    write_parquet(tmp_path / "data", "test", ["c", "c", "b"])
    found = load_split(str(tmp_path / "data"))
    assert (found.class_names, labels_of(found)) == (["a", "b", "c"], [2, 2, 1])


@pytest.mark.parametrize("labels", [None, [5, 5, 5]])
@pytest.mark.parametrize("split", ["test", "train", "odd"])
def test_images_of_a_table_need_no_labels(labels: list[object] | None, split: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", split, labels)
    found = load_pictures(str(tmp_path / "data"))
    assert (found.name, found.class_names, labels_of(found)) == (split, [], [0, 0, 0])
    assert found.source[2][0].getpixel((0, 0)) == (20, 0, 0)


def test_images_of_directories_with_and_without_splits(tmp_path: Path) -> None:
    for place in ("flat", "deep/a/b", "split/train/x", "split/val/x"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (4, 4), len(place)).save(tmp_path / place / "one.png")
    Image.new("L", (4, 4)).save(tmp_path / "deep/two.png")
    found = {name: load_pictures(str(tmp_path / name)) for name in ("flat", "deep", "split")}
    assert {name: (split.name, len(split.source)) for name, split in found.items()} == {
        "flat": ("all", 1),
        "deep": ("all", 2),
        "split": ("val", 1),
    }
    assert found["split"].source.describe(0).endswith("val/x/one.png")
    assert labels_of(found["deep"]) == [0, 0]


def test_known_datasets_can_be_measured() -> None:
    found = load_pictures("digits")
    assert (len(found.source), labels_of(found)) == (360, [0] * 360)


def test_no_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no image files in .*empty"):
        load_pictures(str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="no such directory"):
        load_pictures(str(tmp_path / "nowhere/at/all"))
    (tmp_path / "hollow/test/x").mkdir(parents=True)
    with pytest.raises(UsageError, match="no image files in the class directories"):
        load_pictures(str(tmp_path / "hollow"))


def test_labels_by_another_numbering() -> None:
    source = Relabelled(load_split("digits").source, [9 - n for n in range(10)])
    plain = load_split("digits").source
    assert len(source) == 360
    assert [source[n][1] for n in range(20)] == [9 - plain[n][1] for n in range(20)]
    assert source.describe(3) == plain.describe(3)
