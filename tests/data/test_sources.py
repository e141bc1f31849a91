"""Names of datasets to splits: digits, class directories, parquet files, the Hub; mistakes of users."""

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from PIL import Image

from timm_multimix.data.sources import Source
from timm_multimix.data.splits import Splits, load_splits
from timm_multimix.errors import UsageError

from .conftest import encoded, picture

Write = Callable[..., Path]
IMAGE = datasets.Image()


def labels(source: Source) -> list[int]:
    return [source[index][1] for index in range(len(source))]


def images(*seeds: int) -> list[bytes]:
    return [encoded(picture(seed)) for seed in seeds]


def cells(*seeds: int) -> list[dict[str, Any]]:
    return [{"bytes": data, "path": f"{seed}.png"} for seed, data in zip(seeds, images(*seeds), strict=True)]


def named(*names: str) -> dict[str, Any]:
    return {"image": IMAGE, "label": datasets.ClassLabel(names=list(names))}


def assert_usage_error(match: str, dataset: object, **options: Any) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        load_splits(str(dataset), **options)
    assert "\n" not in str(caught.value)


def test_digits_keep_every_fifth_for_the_test(digits: Splits) -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    assert (len(digits.train), len(digits.evaluation)) == (1437, 360)
    assert (digits.train_split, digits.evaluation_split) == ("train", "test")
    assert digits.class_names == list("0123456789")
    assert labels(digits.evaluation) == original.target[::5].tolist()
    image, label = digits.train[4]  # samples 0 and 5 are in the test
    assert label == original.target[6]
    np.testing.assert_array_equal(np.asarray(image), np.rint(original.images[6] * 255 / 16))
    assert digits.defaults["img_size"] == 32
    assert digits.defaults["hflip"] == 0


def test_class_directories_are_sorted_and_other_files_ignored(class_directories: Path) -> None:
    (class_directories / "train/cat/notes.txt").write_text("no image")
    (class_directories / "train/.hidden").mkdir()
    deep = class_directories / "train/cat/more"
    deep.mkdir()
    picture(42).save(deep / "42.JPG", "JPEG")
    splits = load_splits(str(class_directories))
    assert splits.class_names == ["ant", "cat"]
    assert splits.evaluation_split == "test"
    assert labels(splits.train) == [0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(np.asarray(splits.train[0][0]), np.asarray(picture(1)))
    assert splits.train.describe(6) == str(deep / "42.JPG")
    assert splits.defaults == {}


def test_validation_comes_before_test_and_can_be_chosen(class_directories: Path) -> None:
    for name in ("ant", "cat"):
        (class_directories / "val" / name).mkdir(parents=True)
        picture(11).save(class_directories / "val" / name / "11.png")
    assert load_splits(str(class_directories)).evaluation_split == "val"
    chosen = load_splits(str(class_directories), train_split="val", val_split="train")
    assert (chosen.train_split, chosen.evaluation_split) == ("val", "train")
    assert (len(chosen.train), len(chosen.evaluation)) == (2, 6)


def test_class_directories_without_splits_say_what_is_expected(class_directories: Path) -> None:
    assert_usage_error("has no validation split; it has all: .*`val_split` 0.1", class_directories / "train")


def test_class_directories_of_different_classes_are_an_error(class_directories: Path) -> None:
    for name in ("train/zebra", "test/yak"):
        (class_directories / name).mkdir()
    picture(12).save(class_directories / "test/yak/12.png")
    assert_usage_error("class 2 is 'zebra' and 'yak'", class_directories)
    (class_directories / "train/zebra").rmdir()
    assert_usage_error("2 and 3 classes; only in one of them: yak", class_directories)


def test_class_directories_without_images_are_an_error(tmp_path: Path) -> None:
    for name in ("train/a", "val/a"):
        (tmp_path / name).mkdir(parents=True)
    assert_usage_error("no image files in the class directories of .*train", tmp_path)


def test_parquet_keeps_class_names_and_reads_lazily(write_parquet: Write) -> None:
    rows = {"image": cells(0, 1, 2), "label": [1, 0, 1]}
    directory = write_parquet(named("b", "a"), train=rows, validation=rows, test=rows)
    splits = load_splits(str(directory))
    assert splits.class_names == ["b", "a"]
    assert splits.evaluation_split == "validation"
    assert labels(splits.train) == [1, 0, 1]
    np.testing.assert_array_equal(np.asarray(splits.train[2][0]), np.asarray(picture(2)))
    assert splits.train.describe(2) == f"row 2 of split 'train' of {directory} (2.png)"
    assert sorted(file.name for file in directory.iterdir()) == [
        f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")
    ]


@pytest.mark.parametrize("names", ["{}.parquet", "data/{}-0001.parquet", "{}/part [1]*.parquet"])
def test_places_of_parquet_files(write_parquet: Write, names: str) -> None:
    rows = {"image": cells(0, 1), "label": [0, 1]}
    directory = write_parquet(named("a", "b"), train=rows, test=rows)
    for split in ("train", "test"):
        place = directory / names.format(split)
        place.parent.mkdir(exist_ok=True)
        (directory / f"{split}-00000-of-00001.parquet").rename(place)
    assert load_splits(str(directory)).evaluation_split == "test"


def test_shards_of_a_split_are_joined_in_order(write_parquet: Write) -> None:
    directory = write_parquet(named("a", "b"), train={"image": cells(0), "label": [0]})
    (directory / "train-00000-of-00001.parquet").rename(directory / "train-00000-of-00002.parquet")
    write_parquet(named("a", "b"), train={"image": cells(1, 2), "label": [1, 1]})
    (directory / "train-00000-of-00001.parquet").rename(directory / "train-00001-of-00002.parquet")
    splits = load_splits(str(directory), val_split="train", eval_on_train=True)
    assert labels(splits.train) == [0, 1, 1]
    np.testing.assert_array_equal(np.asarray(splits.train[1][0]), np.asarray(picture(1)))


def test_changed_files_are_read_again(write_parquet: Write) -> None:
    directory = write_parquet(named("a", "b"), train={"image": cells(0), "label": [0]})
    assert labels(load_splits(str(directory), val_split="train", eval_on_train=True).train) == [0]
    write_parquet(named("a", "b"), train={"image": cells(0, 0), "label": [1, 0]})
    assert labels(load_splits(str(directory), val_split="train", eval_on_train=True).train) == [1, 0]


def test_pickled_table_is_small_and_gives_the_same(write_parquet: Write) -> None:
    rows = {"image": cells(*range(40)), "label": [0] * 40}
    source = load_splits(
        str(write_parquet(named("a"), train=rows)), val_split="train", eval_on_train=True
    ).train
    np.asarray(source[3][0])
    data = pickle.dumps(source)
    assert len(data) < 10_000 < sum(len(cell["bytes"]) for cell in rows["image"])
    np.testing.assert_array_equal(np.asarray(pickle.loads(data)[3][0]), np.asarray(picture(3)))


@pytest.mark.parametrize(
    ("columns", "features", "class_names", "expected"),
    [
        ({"pic": cells(0, 1), "label": [2, 0]}, None, ["0", "1", "2"], [2, 0]),
        ({"pic": images(0, 1), "id": [7, 8], "labels": [1, 0]}, None, ["0", "1"], [1, 0]),
        ({"text": ["x", "y"], "img": images(0, 1), "target": [1, 0]}, None, ["0", "1"], [1, 0]),
        ({"a": images(0, 1), "label": ["dog", "cat"]}, None, ["cat", "dog"], [1, 0]),
        ({"a": images(0, 1), "label": [True, False]}, None, ["0", "1"], [1, 0]),
        (
            {"img": cells(0, 1), "coarse_label": [1, 1], "fine_label": [2, 0], "n": [5, 6]},
            {
                "img": IMAGE,
                "coarse_label": datasets.ClassLabel(names=["x", "y"]),
                "fine_label": datasets.ClassLabel(names=["p", "q", "r"]),
                "n": datasets.Value("int64"),
            },
            ["p", "q", "r"],
            [2, 0],
        ),
    ],
    ids=["struct", "binary", "other columns", "strings", "booleans", "two ClassLabels"],
)
def test_columns_are_found_by_type(
    write_parquet: Write, columns: Any, features: Any, class_names: list[str], expected: list[int]
) -> None:
    splits = load_splits(str(write_parquet(features, train=columns)), val_split="train", eval_on_train=True)
    assert splits.class_names == class_names
    assert labels(splits.train) == expected
    np.testing.assert_array_equal(np.asarray(splits.train[0][0]), np.asarray(picture(0)))


def test_columns_can_be_chosen(write_parquet: Write) -> None:
    columns = {"image": cells(0), "mask": cells(1), "label": [0], "kind": ["x"], "score": [0.5]}
    directory = write_parquet(train=columns, test=columns)
    chosen = load_splits(str(directory), image_column="mask", label_column="kind")
    assert chosen.class_names == ["x"]
    np.testing.assert_array_equal(np.asarray(chosen.train[0][0]), np.asarray(picture(1)))
    listed = r"image \(struct.*mask .*label \(int64\)"
    assert_usage_error(f"`image_column` photo: no such .*{listed}", directory, image_column="photo")
    assert_usage_error(f"`label_column` kinds: no such .*{listed}", directory, label_column="kinds")
    assert_usage_error("`image_column` label: .*int64.*not of images", directory, image_column="label")
    assert_usage_error(
        "label 0.5 of row 0 .* is no class number", directory, label_column="score", task="classification"
    )
    assert_usage_error("has no columns", "digits", label_column="label")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": [0]}, "no image column .*label"),
        ({"image": images(0)}, "no label column .*image"),
        ({"image": images(0), "caption": ["a cat"]}, "no label column .*caption"),
        ({"blob": [b"nonsense"], "label": [0]}, "no image column"),
        (
            {"left": images(0), "right": images(1), "label": [0]},
            "which column of .* is the image.*left .*right",
        ),
        ({"image": images(0), "a": [0], "b": [0]}, "no label column .*a .*b .*`label_column`"),
        ({"image": images(0), "id": [10_000_000]}, "no label column .*id .*`label_column`"),
        ({"image": images(0), "boxes": [[0, 1]]}, "no label column"),
    ],
)
def test_ambiguous_columns(write_parquet: Write, columns: Any, message: str) -> None:
    assert_usage_error(message, write_parquet(train=columns, test=columns))


def test_labels_outside_the_classes_name_their_row(write_parquet: Write) -> None:
    good = {"image": images(0, 1), "label": [0, 1]}
    cases = {"hidden": [0, -1], "more": [2, 1], "none": [0, None]}
    directory = write_parquet(
        train=good, **{name: good | {"label": values} for name, values in cases.items()}
    )
    assert_usage_error(
        r"label -1 of row 1 of split 'hidden' of .* outside 0..1", directory, val_split="hidden"
    )
    assert_usage_error(r"label 2 of row 0 of split 'more' of .* outside 0..1", directory, val_split="more")
    assert_usage_error("no label in row 1 of split 'none'", directory, val_split="none")
    assert_usage_error(
        "label -1 of row 1 of split 'hidden'", directory, train_split="hidden", val_split="train"
    )


def test_string_labels_unknown_to_training_name_their_row(write_parquet: Write) -> None:
    directory = write_parquet(
        train={"image": images(0, 1), "label": ["cat", "dog"]},
        val={"image": images(2), "label": ["dog"]},
        test={"image": images(2, 3), "label": ["dog", "owl"]},
    )
    assert labels(load_splits(str(directory)).evaluation) == [1]
    assert_usage_error(
        "label 'owl' of row 1 of split 'test' .* none of cat, dog", directory, val_split="test"
    )


def test_class_names_that_differ_are_an_error(write_parquet: Write) -> None:
    write_parquet(named("a", "b"), train={"image": cells(0), "label": [0]})
    directory = write_parquet(named("b", "a"), test={"image": cells(0), "label": [0]})
    assert_usage_error("'train' and 'test' of .* class 0 is 'a' and 'b'", directory)


def test_empty_split_is_an_error(write_parquet: Write) -> None:
    write_parquet(named("a"), train={"image": cells(0), "label": [0]})
    directory = write_parquet(named("a"), test={"image": [], "label": []})
    assert_usage_error("split 'test' of .* cannot be read: no rows", directory)


def test_missing_splits_list_those_there_are(write_parquet: Write) -> None:
    directory = write_parquet(
        train={"image": images(0), "label": [0]}, extra={"image": images(0), "label": [0]}
    )
    there = r"extra \(1 parquet file: extra-00000.*\), train \(1 parquet file: train-00000.*\)"
    assert_usage_error(f"no validation split; it has {there}: choose with `val_split`", directory)
    assert_usage_error(f"`val_split` tset: no such split in .*; it has {there}", directory, val_split="tset")
    assert_usage_error("`train_split` x: no such split in 'digits'", "digits", train_split="x")


def test_unreadable_parquet_is_one_line(write_parquet: Write) -> None:
    directory = write_parquet(train={"image": images(0), "label": [0]})
    (directory / "test.parquet").write_bytes(b"PAR1 nonsense")
    assert_usage_error("cannot be read", directory)


@pytest.mark.parametrize("name", ["./gone", "/gone/away", "~/gone", "a/b/c", "gone/", "two words", ""])
def test_paths_are_never_looked_up_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timm_multimix.data.kinds.hub.load_from_hub", lambda name: pytest.fail("asked"))
    assert_usage_error("no such directory", name)


def test_names_below_a_directory_here_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data.zip").touch()
    assert_usage_error("'data/gone': no such directory", "data/gone")
    assert_usage_error("'data.zip' is a file", "data.zip")


def test_hub_out_of_reach_is_one_quick_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("datasets.config.HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    assert_usage_error(
        "dataset 'nobody/nothing': .* could not be downloaded from the Hub: Connect(ion)?Error",
        "nobody/nothing",
    )
    assert_usage_error(r"dataset 'mnist': .* \(torchvision's datasets are torch/NAME\), and could", "mnist")
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (RepositoryNotFoundError, "unknown dataset 'nobody/nothing': .* not on the Hub"),
        (GatedRepoError, "'nobody/nothing' is gated: ask for access"),
    ],
)
def test_hub_without_the_dataset_says_so(
    monkeypatch: pytest.MonkeyPatch, answer: type[Exception], message: str
) -> None:
    def refuse(api: HfApi, name: str, **options: Any) -> None:
        raise answer.__new__(answer)  # their constructors want a response of the server

    monkeypatch.setattr(HfApi, "dataset_info", refuse)
    monkeypatch.setattr("datasets.load_dataset", lambda name: pytest.fail("asked again"))
    assert_usage_error(message, "nobody/nothing")


def test_hub_dataset_is_loaded_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    table = datasets.Dataset.from_dict({"image": cells(0, 1), "label": [1, 0]}).cast_column("image", IMAGE)
    asked = []

    def load(name: str) -> datasets.DatasetDict:
        asked.append(name)
        return datasets.DatasetDict(train=table, test=table)

    monkeypatch.setattr("timm_multimix.data.hub._probe", lambda name: None)
    monkeypatch.setattr("datasets.load_dataset", load)
    splits = load_splits("somebody/pictures")
    assert asked == ["somebody/pictures"]
    assert labels(splits.evaluation) == [1, 0]
    assert splits.train.describe(1) == "row 1 of split 'train' of somebody/pictures (1.png)"


def test_hub_dataset_in_the_cache_is_used_when_the_hub_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    table = datasets.Dataset.from_dict({"image": cells(0), "label": [0]}).cast_column("image", IMAGE)
    offline = []

    def load(name: str) -> datasets.DatasetDict:
        offline.append(datasets.config.HF_HUB_OFFLINE)
        return datasets.DatasetDict(train=table, test=table)

    monkeypatch.setattr("timm_multimix.data.hub._probe", lambda name: "ConnectError")
    monkeypatch.setattr("datasets.load_dataset", load)
    before = datasets.config.HF_HUB_OFFLINE
    assert len(load_splits("somebody/pictures").train) == 1
    assert offline == [True]
    assert before == datasets.config.HF_HUB_OFFLINE


def test_images_given_by_path_are_read(tmp_path: Path, write_parquet: Write) -> None:
    file = tmp_path / "elsewhere.png"
    picture(3).save(file)
    rows = {"image": [{"bytes": None, "path": str(file)}, None], "label": [0, 0]}
    source = load_splits(
        str(write_parquet(named("a"), train=rows)), val_split="train", eval_on_train=True
    ).train
    np.testing.assert_array_equal(np.asarray(source[0][0]), np.asarray(picture(3)))
    assert isinstance(source[0][0], Image.Image)
    with pytest.raises(UsageError, match=r"broken image, row 1 of split 'train' of .*: no image"):
        source[1]
