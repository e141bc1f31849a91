"""What a dataset's name stands for: digits, class folders, files of many samples, or a dataset of the Hub."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from timm_multimix.data.columns import find_image_column, find_label_column, read_labels
from timm_multimix.data.images import picture_endings
from timm_multimix.data.sources import ArraySource, FileSource, Source, TableSource
from timm_multimix.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset


class Collection(Protocol):
    """A dataset of several splits, opened one by one."""

    split_names: list[str]
    defaults: dict[str, Any]  # option values that suit these pictures

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        """A split and its class names; `class_names` are used where the split declares none."""


class Digits:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels; every fifth sample is the test."""

    def __init__(self) -> None:
        self.split_names = ["train", "test"]
        # a mirrored or cropped digit is another digit, so each augmentation is off until it is asked for
        self.defaults = {
            "img_size": 32,
            "scale": [1.0, 1.0],
            "ratio": [1.0, 1.0],
            "hflip": 0.0,
            "color_jitter": 0.0,
            "train_interpolation": "bilinear",
            # so few images make enough updates only in small batches
            "batch_size": 64,
            "epochs": 20,
        }

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        chosen = (np.arange(len(digits.target)) % 5 == 0) == (split == "test")
        images = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
        labels = digits.target[chosen].astype(np.int64)
        return ArraySource(images, labels, f"split '{split}' of digits"), [str(name) for name in range(10)]


class ClassFolders:
    """Split folders of class folders of picture files; classes are sorted by name."""

    def __init__(self, root: Path) -> None:
        self.root, self.defaults = root, dict[str, Any]()
        self.split_names = [name for name in _folders(root) if _folders(root / name)]

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        folder = self.root / split
        names, files, labels = _folders(folder), list[str](), list[int]()
        for label, name in enumerate(names):
            found = pictures_below(folder, name)
            files += found
            labels += [label] * len(found)
        if not files:
            raise UsageError(f"no picture files in the class folders of {folder}")
        return FileSource(folder, files, np.array(labels, dtype=np.int64)), names


class Tables:
    """Splits that are `datasets.Dataset`s, each loaded when it is opened."""

    def __init__(
        self,
        name: str,
        loaders: Mapping[str, Callable[[], "Dataset"]],
        image_column: str | None,
        label_column: str | None,
    ) -> None:
        self.name, self.loaders, self.defaults = name, loaders, dict[str, Any]()
        self.split_names = list(loaders)
        self.image_column, self.label_column = image_column, label_column

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        title = f"split '{split}' of {self.name}"
        dataset = self.loaders[split]()
        if not len(dataset):
            raise UsageError(f"{title} is empty")
        image = find_image_column(dataset, self.image_column, title)
        label = find_label_column(dataset, self.label_column, title)
        labels, names = read_labels(dataset, label, class_names, title)
        return TableSource(dataset, image, labels, title), names


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def pictures_below(folder: Path, name: str) -> list[str]:
    """Picture files at any depth below a folder `name` of another, relative to that other, sorted.

    A folder that links lead to again is not entered again, so that they cannot lead in circles.
    """
    found, seen = [], {os.path.realpath(folder / name)}
    for place, inner, files in os.walk(folder / name, followlinks=True):
        real = {one: os.path.realpath(os.path.join(place, one)) for one in sorted(inner)}
        inner[:] = [one for one in real if real[one] not in seen]
        seen |= {real[one] for one in inner}
        inside = os.path.relpath(place, folder)
        found += [os.path.join(inside, file) for file in files if _is_picture(file)]
    return sorted(found)


def _is_picture(file: str) -> bool:
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in picture_endings()
