"""benchmarks/subset.py takes the images that the results' pages name, and reports mistakes in one line."""

import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from benchmarks import subset

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory of parquet files with a column of class labels, `kind`."""
    directory = tmp_path / "source"
    directory.mkdir()
    features = datasets.Features(
        {"number": datasets.Value("int64"), "kind": datasets.ClassLabel(num_classes=3)}
    )
    for split, rows in (("train", 24), ("test", 9)):
        table = datasets.Dataset.from_dict(
            {"number": list(range(rows)), "kind": [row % 3 for row in range(rows)]}, features=features
        )
        table.to_parquet(directory / f"{split}.parquet")
    return directory


def call(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/subset.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_splits_are_the_first_images_of_each_class_and_those_that_follow(
    source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    counts = ["--train", "3", "--validation", "2", "--test", "1"]
    done = call(source, output, "--label", "kind", "--classes", "2", *counts)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "train: 6 images of 2 classes"
    found = datasets.load_dataset(str(output), cache_dir=str(tmp_path / "cache"))
    assert {name: found[name]["number"][:] for name in found} == {
        "train": [0, 1, 3, 4, 6, 7],
        "validation": [9, 10, 12, 13],
        "test": [0, 1],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["source", "output", "--label", "number"], "--label must be one of kind, got number"),
        (["source", "source", "--label", "kind"], "OUTPUT must be a new or empty directory, got source"),
        (["empty", "output"], "DIRECTORY must hold files train*.parquet, got empty"),
        (
            ["source", "output", "--label", "kind", "--superclasses"],
            "--superclasses: --label must have 100 classes, got kind with 3",
        ),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    words: list[str],
    said: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["subset.py", *words])
    assert subset.main() == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "source"]
    assert sorted(path.name for path in source.iterdir()) == ["test.parquet", "train.parquet"]
