"""A small part of a data set of parquet files, for comparisons on small machines.

    python benchmarks/subset.py FOLDER OUTPUT [--label fine_label] [--classes 20] [--train 125] [--test 100]

The first classes, and of each its first images in the files' order, as parquet with labels from 0 on.
"""

import argparse
from pathlib import Path

import datasets
import numpy as np


def first_of_each(labels: np.ndarray, classes: int, count: int) -> list[int]:
    """Rows of the first `count` examples of each of the first classes, in the files' order."""
    rows = [np.flatnonzero(labels == label)[:count] for label in range(classes)]
    return sorted(np.concatenate(rows).tolist())


def main() -> None:
    """Write the part of each split."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("folder", help="parquet files named train* and test*")
    options.add_argument("output", type=Path)
    options.add_argument("--label", default="fine_label", help="the column of the labels")
    options.add_argument("--classes", type=int, default=20)
    options.add_argument("--train", type=int, default=125, help="training images of each class")
    options.add_argument("--test", type=int, default=100, help="test images of each class")
    options = options.parse_args()
    options.output.mkdir(parents=True)
    for split, count in (("train", options.train), ("test", options.test)):
        files = str(Path(options.folder) / f"{split}*.parquet")
        whole = datasets.load_dataset("parquet", data_files=files, split="train")
        part = whole.select(first_of_each(np.array(whole[options.label]), options.classes, count))
        names = whole.features[options.label].names[: options.classes]
        part = part.cast_column(options.label, datasets.ClassLabel(names=names))
        part.to_parquet(options.output / f"{split}-00000-of-00001.parquet")
        print(f"{split}: {len(part)} images of {len(names)} classes")


if __name__ == "__main__":
    main()
