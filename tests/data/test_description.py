"""The description of a run's data, and its warnings with their numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.description import Description, Part, describe_data
from timm_multimix.data.splits import load_splits
from timm_multimix.dataset_names import HubName

from .conftest import encoded, picture

Write = Callable[..., Path]


def describe(dataset: object, skip_broken: bool = False, **options: Any) -> Description:
    splits = load_splits(str(dataset), **options)
    parts = [
        ImageDataset(source, lambda image: image, skip_broken=skip_broken)  # type: ignore[arg-type, return-value]
        for source in (splits.train, splits.evaluation)
    ]
    return describe_data(str(dataset), splits, *parts)


def rows(labels: list[Any], **more: list[Any]) -> dict[str, Any]:
    return {"picture": [encoded(picture(n)) for n in range(len(labels))], "target": labels} | more


def test_two_lines_of_a_table(write_parquet: Write) -> None:
    directory = write_parquet(
        train=rows(["a", "b", "a", "b"], id=[1, 2, 3, 4]), test=rows(["a", "b"], id=[5, 6])
    )
    found = describe(directory)
    assert found.text.splitlines() == [
        f"data: {directory}, images in column 'picture', labels in column 'target', 2 classes",
        "training on split 'train' (4 images), evaluation on split 'test' (2 images)",
    ]
    assert found.warnings == []
    assert found.record == {
        "image_column": "picture",
        "label_column": "target",
        "skipped": {"train": 0, "evaluation": 0},
        "classes_without_images": {"train": 0, "evaluation": 0},
    }


def test_digits_are_described_without_a_warning() -> None:
    found = describe("digits")
    assert found.text.startswith("data: digits, 10 classes\ntraining on split 'train' (1437 images)")
    assert found.warnings == []


def test_classes_without_images_are_named_and_counted(class_directories: Path) -> None:
    for name in ("train/bee", "train/dog", "train/cow"):
        (class_directories / name).mkdir()
    picture(11).save(class_directories / "train/cow/a.png")
    found = describe(class_directories)
    assert found.warnings == [
        "2 of 5 classes have no training image: bee, dog",
        "1 of 5 classes have no image in split 'test', whose accuracy says nothing of them: cow",
    ]
    assert found.record["classes_without_images"] == {"train": 2, "evaluation": 3}


def test_a_class_of_broken_images_only_has_none(class_directories: Path) -> None:
    for file in class_directories.glob("train/cat/*.png"):
        file.write_bytes(b"nonsense")
    (class_directories / "test/ant/7.png").write_bytes(b"nonsense")
    found = describe(class_directories, skip_broken=True)
    assert found.skipped == 4
    assert found.text.endswith("training on split 'train' (3 images), evaluation on split 'test' (3 images); "
                               "4 broken images left out")  # fmt: skip
    assert found.record["skipped"] == {"train": 3, "evaluation": 1}
    first, second, third = found.warnings
    assert first.startswith("split 'train' without 3 broken images, the first: broken image, ")
    assert second.startswith("split 'test' without 1 broken image, the first: broken image, ")
    assert third == "1 of 2 classes have no training image: cat"


def test_one_class_only(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(["same"] * 4), test=rows(["same"]))
    assert describe(directory).warnings == ["there is one class only, 'same', so nothing to tell apart"]


def test_a_class_for_nearly_every_image(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(list("abcdefgh")), test=rows(list("abcdefgh")))
    assert describe(directory).warnings == ["8 classes for 8 training images: are these labels?"]


def test_numbers_that_leave_gaps(write_parquet: Write) -> None:
    directory = write_parquet(train=rows([0, 0, 500, 500]), test=rows([0, 500]))
    assert describe(directory).warnings[0].startswith("499 of 501 classes have no training image: 1, 2, 3")


def test_names_alike(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(["cat", "Cat ", "dog"] * 2), test=rows(["cat", "Cat ", "dog"]))
    assert "classes that differ in capitals or spaces only: 'Cat ', 'cat'" in describe(directory).warnings


def test_a_stream_cannot_tell_its_classes_yet(write_parquet: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.02, raising=False)
    directory = write_parquet(train=rows(["a", "b"] * 2), test=rows(["a", "b"]))
    found = describe(directory, streaming=True)
    assert (found.columns, found.train.samples, found.train.empty) == (("picture", "target"), 4, None)
    assert found.warnings == []


def test_a_dataset_of_the_hub_is_recorded_by_its_parts() -> None:
    part = Part("train", 4, [], [])
    found = Description(
        "me/data:small@v1", HubName("me/data", "small", "v1"), None, ["a", "b"], part, part, ["x"]
    )
    assert found.record.items() >= {"repo_id": "me/data", "configuration": "small", "revision": "v1"}.items()
    assert found.warnings == ["x"]


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,8})?", fullmatch=True)
CONFIGURATIONS = st.none() | st.from_regex(r"[A-Za-z0-9_.+-]{1,8}", fullmatch=True)
REVISIONS = st.none() | st.from_regex(r"[A-Za-z0-9_./+-]{1,12}", fullmatch=True)


@given(NAMES, CONFIGURATIONS, REVISIONS)
def test_names_of_the_hub_come_apart_again(
    repo: str, configuration: str | None, revision: str | None
) -> None:
    text = repo + (f":{configuration}" if configuration else "") + (f"@{revision}" if revision else "")
    assert HubName.parse(text) == (repo, configuration, revision)


@pytest.mark.parametrize("text", ["", ":x", "a:", "a@", "a/b/c", "a b", "a:x:y", "/a", "a:x@", "../a"])
def test_names_that_cannot_be_hub_ids(text: str) -> None:
    assert HubName.parse(text) is None
