"""A small part of a data set of parquet files, for comparisons on small machines.

    python benchmarks/subset.py DIRECTORY OUTPUT [--label fine_label] [--superclasses] [--classes 20]
        [--train 125] [--validation 0] [--test 100]

The first classes, and of each its first images in the files' order, as parquet with labels from 0 on. The
validation split, if there is one, is of the training images that follow those of the training split.
"""

import argparse
from pathlib import Path

import datasets
import numpy as np

# CIFAR-100's superclass of each fine label, in the order of the fine labels (alphabetical).
SUPERCLASS_OF = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)
SUPERCLASSES = (
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables"),
    *("household_electrical_devices", "household_furniture", "insects", "large_carnivores"),
    *("large_man-made_outdoor_things", "large_natural_outdoor_scenes", "large_omnivores_and_herbivores"),
    *("medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals", "trees"),
    *("vehicles_1", "vehicles_2"),
)


def rows_of_each(labels: np.ndarray, classes: int, start: int, count: int) -> list[int]:
    """Rows of `count` examples of each of the first classes, from its example number `start` on."""
    rows = [np.flatnonzero(labels == label)[start : start + count] for label in range(classes)]
    return sorted(np.concatenate(rows).tolist())


def with_superclasses(whole: datasets.Dataset, label: str) -> datasets.Dataset:
    """CIFAR-100 with its 20 superclasses in the place of the 100 fine labels."""
    coarse = [SUPERCLASS_OF[fine] for fine in whole[label]]
    column = datasets.ClassLabel(names=list(SUPERCLASSES))
    return whole.remove_columns(label).add_column(label, coarse).cast_column(label, column)


def main() -> None:
    """Write the part of each split."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("directory", help="parquet files named train* and test*")
    options.add_argument("output", type=Path)
    options.add_argument("--label", default="fine_label", help="the column of the labels")
    options.add_argument("--superclasses", action="store_true", help="CIFAR-100's 20 superclasses as labels")
    options.add_argument("--classes", type=int, default=20)
    options.add_argument("--train", type=int, default=125, help="training images of each class")
    options.add_argument("--validation", type=int, default=0, help="other training images of each class")
    options.add_argument("--test", type=int, default=100, help="test images of each class")
    options = options.parse_args()
    options.output.mkdir(parents=True)
    parts = {
        "train": ("train", 0, options.train),
        "validation": ("train", options.train, options.validation),
        "test": ("test", 0, options.test),
    }
    for split, (source, start, count) in parts.items():
        if not count:
            continue
        files = str(Path(options.directory) / f"{source}*.parquet")
        whole = datasets.load_dataset("parquet", data_files=files, split="train")
        whole = with_superclasses(whole, options.label) if options.superclasses else whole
        part = whole.select(rows_of_each(np.array(whole[options.label]), options.classes, start, count))
        names = whole.features[options.label].names[: options.classes]
        part = part.cast_column(options.label, datasets.ClassLabel(names=names))
        part.to_parquet(options.output / f"{split}-00000-of-00001.parquet")
        print(f"{split}: {len(part)} images of {len(names)} classes")


if __name__ == "__main__":
    main()
