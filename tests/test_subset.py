"""benchmarks/subset.py takes the images that the results' pages say it takes."""

import subprocess
import sys
from pathlib import Path

import datasets

ROOT = Path(__file__).resolve().parents[1]


def test_splits_are_the_first_images_of_each_class_and_those_that_follow(tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    source.mkdir()
    features = datasets.Features(
        {"number": datasets.Value("int64"), "kind": datasets.ClassLabel(num_classes=3)}
    )
    for split, rows in (("train", 24), ("test", 9)):
        table = datasets.Dataset.from_dict(
            {"number": list(range(rows)), "kind": [row % 3 for row in range(rows)]}, features=features
        )
        table.to_parquet(source / f"{split}.parquet")
    command = [sys.executable, "benchmarks/subset.py", source, output, "--label", "kind", "--classes", "2"]
    counts = ["--train", "3", "--validation", "2", "--test", "1"]
    subprocess.run([*command, *counts], cwd=ROOT, check=True)
    found = datasets.load_dataset(str(output), cache_dir=str(tmp_path / "cache"))
    assert {name: found[name]["number"][:] for name in found} == {
        "train": [0, 1, 3, 4, 6, 7],
        "validation": [9, 10, 12, 13],
        "test": [0, 1],
    }
