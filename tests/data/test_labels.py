"""Labels of every type of text and number, and values that cannot be labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

from .conftest import NEWER_DATASETS, encoded, picture

Write = Callable[..., Path]


def write_arrow(directory: Path, labels: pa.Array) -> str:
    """Training and test files with labels of any Arrow type, which `datasets` itself would not write."""
    directory.mkdir(exist_ok=True)
    table = pa.table({"image": [encoded(picture(n)) for n in range(len(labels))], "label": labels})
    for split in ("train", "test"):
        parquet.write_table(table, directory / f"{split}.parquet")
    return str(directory)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(
        "datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.02, raising=False
    )  # after each stream


TEXTS = ["dog", "cat", "dog"]
KINDS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pytest.param(
        pa.array(TEXTS, pa.string_view()),
        marks=pytest.mark.skipif(not NEWER_DATASETS, reason="older versions of datasets have no views"),
    ),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "dictionary of large strings": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
}


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("streaming", [False, True])
def test_labels_of_every_type_of_text(tmp_path: Path, labels: pa.Array, streaming: bool) -> None:
    splits = load_splits(write_arrow(tmp_path / "data", labels), streaming=streaming)
    assert splits.class_names == ["cat", "dog"]
    assert sorted(splits.train[n][1] for n in range(3)) == [0, 1, 1]
    assert [splits.evaluation[n][1] for n in range(3)] == [1, 0, 1]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64()])
def test_labels_of_every_type_of_number(tmp_path: Path, kind: pa.DataType) -> None:
    splits = load_splits(write_arrow(tmp_path / "data", pa.array([1, 0, 2], kind)))
    assert [splits.train[n][1] for n in range(3)] == [1, 0, 2]


NUMBERS = {
    "from one": (pa.array([2, 1, 3]), ["1", "2", "3"], [1, 0, 2]),
    "floats": (pa.array([2.0, 0.0, 1.0]), ["0", "1", "2"], [2, 0, 1]),
    "floats from one": (pa.array([2.0, 1.0, 2.0], pa.float32()), ["1", "2"], [1, 0, 1]),
    "booleans": (pa.array([True, False, True]), ["0", "1"], [1, 0, 1]),
}


@pytest.mark.parametrize(("labels", "names", "expected"), NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("streaming", [False, True])
def test_numbers_that_count_classes(
    tmp_path: Path, labels: pa.Array, names: list[str], expected: list[int], streaming: bool
) -> None:
    splits = load_splits(write_arrow(tmp_path / "data", labels), streaming=streaming)
    assert splits.class_names == names
    assert sorted(splits.train[n][1] for n in range(3)) == sorted(expected)
    assert [splits.evaluation[n][1] for n in range(3)] == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [([0.5, 1.0], r"label 0\.5 of row 0 .* is no class number"), ([1.0, float("nan")], "no label in row 1")],
)
def test_floats_that_are_no_classes(tmp_path: Path, values: list[float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_splits(write_arrow(tmp_path / "data", pa.array(values)), task="classification")


@pytest.mark.parametrize("empty", ["", "  ", "\t"])
def test_an_empty_text_is_no_label(tmp_path: Path, empty: str) -> None:
    with pytest.raises(UsageError, match=r"no label in row 1 of split 'train' of .* \(and of 1 more\)"):
        load_splits(write_arrow(tmp_path / "data", pa.array(["a", empty, "b", empty])))


def test_numbers_far_apart_are_no_labels(tmp_path: Path) -> None:
    numbers = pa.array([0, 1, 2, 3, 4, 5, 6, 700_000])
    with pytest.raises(
        UsageError, match=r"column label .* 8 different numbers up to 700000.* 700001 classes"
    ):
        load_splits(write_arrow(tmp_path / "data", numbers))


@pytest.mark.parametrize("numbers", [[0, 1, 999], [3, 4, 5], np.arange(12_000)])
def test_numbers_that_may_be_labels(tmp_path: Path, numbers: Any) -> None:
    labels = [int(number) for number in numbers]
    directory = tmp_path / "data"
    directory.mkdir()
    png = encoded(picture(0))
    for split in ("train", "test"):
        parquet.write_table(
            pa.table({"image": [png] * len(labels), "label": labels}), directory / f"{split}.parquet"
        )
    assert len(load_splits(str(directory)).class_names) == max(labels) + 1
