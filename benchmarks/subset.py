"""Make a small subset of a dataset of parquet files, for comparisons on small machines.

    python benchmarks/subset.py DIRECTORY OUTPUT [--label fine_label] [--superclasses] [--classes 20]
        [--train 125] [--validation 0] [--test 100]

It holds the first images of each of the first classes, in the files' order, as parquet with labels from 0 on.
The validation split, if there is one, takes the training images after those of the training split.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import datasets
import numpy as np

from timm_multimix.errors import UsageError

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
    if (classes := len(whole.features[label].names)) != len(SUPERCLASS_OF):
        raise UsageError(f"--superclasses: --label must have 100 classes, got {label} with {classes}")
    coarse = [SUPERCLASS_OF[fine] for fine in whole[label]]
    column = datasets.ClassLabel(names=list(SUPERCLASSES))
    return whole.remove_columns(label).add_column(label, coarse).cast_column(label, column)


def read_files(directory: Path, name: str, label: str) -> datasets.Dataset:
    """The rows of the parquet files whose names begin so.

    Raises:
        UsageError: there are none, or `label` is not one of their columns of class labels.
    """
    files = sorted(map(str, directory.glob(f"{name}*.parquet")))
    if not files:
        raise UsageError(f"DIRECTORY must hold files {name}*.parquet, got {directory}")
    whole = datasets.load_dataset("parquet", data_files=files, split="train")
    columns = [column for column, kind in whole.features.items() if isinstance(kind, datasets.ClassLabel)]
    if label not in columns:
        raise UsageError(f"--label must be one of {', '.join(columns) or 'no column'}, got {label}")
    return whole


def take_part(options: argparse.Namespace, name: str, start: int, count: int) -> datasets.Dataset:
    """Examples `start` to `start + count` of each class, from the files whose names begin with `name`."""
    whole = read_files(options.directory, name, options.label)
    whole = with_superclasses(whole, options.label) if options.superclasses else whole
    part = whole.select(rows_of_each(np.array(whole[options.label]), options.classes, start, count))
    names = whole.features[options.label].names[: options.classes]
    return part.cast_column(options.label, datasets.ClassLabel(names=names))


def write(parts: dict[str, datasets.Dataset], output: Path) -> None:
    """Write the splits as files of a new directory, which appears when all of them are written."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as place:
        written = Path(place) / "written"
        written.mkdir()
        for split, part in parts.items():
            part.to_parquet(written / f"{split}-00000-of-00001.parquet")
        written.rename(output)


def make_subset(options: argparse.Namespace) -> None:
    """Write the part of each split, and print their sizes."""
    if options.output.exists() and (options.output.is_file() or any(options.output.iterdir())):
        raise UsageError(f"OUTPUT must be a new or empty directory, got {options.output}")
    rows = {
        "train": ("train", 0, options.train),
        "validation": ("train", options.train, options.validation),
        "test": ("test", 0, options.test),
    }
    parts = {split: take_part(options, *each) for split, each in rows.items() if each[-1]}
    write(parts, options.output)
    for split, part in parts.items():
        print(f"{split}: {len(part)} images of {part.features[options.label].num_classes} classes")


def main() -> int:
    """Read the options and make the subset; 2 after one line for a mistake in them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, help="parquet files named train* and test*")
    parser.add_argument("output", type=Path)
    parser.add_argument("--label", default="fine_label", help="the column of the labels")
    parser.add_argument("--superclasses", action="store_true", help="CIFAR-100's 20 superclasses as labels")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--train", type=int, default=125, help="training images of each class")
    parser.add_argument("--validation", type=int, default=0, help="other training images of each class")
    parser.add_argument("--test", type=int, default=100, help="test images of each class")
    try:
        make_subset(parser.parse_args())
    except UsageError as error:
        print("error:", error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
