"""Splits for evaluation: one labelled split alone, or images whose labels do not matter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import UsageError
from .collection import ClassDirectories, Collection, Tables
from .columns import find_image_column
from .directories import pictures_below
from .held_out import HeldOut
from .kinds import open_collection
from .labels import ModelNames
from .request import Request
from .sources import FileSource, Source, TableSource, Wrapped
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, WHOLE, choose_split


@dataclass(frozen=True)
class Split:
    """One split; `class_names` are empty where labels do not matter. notes: as in `Splits`."""

    source: Source
    name: str
    class_names: list[str]
    defaults: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def load_split(
    dataset: str,
    *,
    train_split: str | None = None,
    val_split: str | None = None,
    val_split_seed: int | None = None,
    class_names: list[str] | None = None,
    **reading: Any,
) -> Split:
    """The evaluation split of what `load_splits` takes, without a training split where there is none.

    Data without splits are taken whole, and a fraction for `val_split` is a part of the training split.

    Args:
        dataset: its name.
        train_split: the split that names the classes, or that a part is held out of.
        val_split: the split, or the fraction that is held out.
        val_split_seed: of what is held out.
        class_names: the classes of labels that the split does not name itself; by default the training
            split's, which also names integer labels where these are `ModelNames`.
        **reading: fields of `Request`.

    Raises:
        UsageError: as `load_splits`.
    """
    collection = open_collection(Request(dataset=dataset, **reading))
    if held_out := HeldOut.parse(val_split, val_split_seed):
        train_name = choose_split(collection, train_split, (*TRAIN_NAMES, WHOLE), "train_split")
        own = None if isinstance(collection, ClassDirectories) else class_names
        source, found = collection.open(train_name, own)
        part = held_out.divide(source, f"split '{train_name}' of {dataset}")[1]
        return Split(
            part, held_out.name(train_name), found, dict(collection.defaults), list(collection.notes)
        )
    name = choose_split(collection, val_split, (*EVALUATION_NAMES, WHOLE), "val_split")
    train = [split for split in collection.split_names if split.lower() in TRAIN_NAMES]
    if class_names is None and (train or train_split):
        train_name = choose_split(collection, train_split, TRAIN_NAMES, "train_split")
        class_names = collection.open(train_name, None)[1]
    elif isinstance(collection, ClassDirectories):
        class_names = None  # they name their classes themselves, and may be fewer
    source, found = collection.open(name, class_names)
    if isinstance(class_names, ModelNames) and train and found == _numbers(found) != class_names:
        train_name = choose_split(collection, train_split, TRAIN_NAMES, "train_split")
        source, found = collection.open(name, collection.open(train_name, None)[1])
    return Split(source, name, found, dict(collection.defaults), list(collection.notes))


def _numbers(names: Sequence[str]) -> list[str]:
    """Return the names that integer labels have where nothing names them."""
    return [str(number) for number in range(len(names))]


def load_pictures(dataset: str) -> Split:
    """Images of a dataset, labelled or not: its evaluation split, else its training split, else its first.

    A directory without splits is taken whole, at any depth. All labels are 0.

    Raises:
        UsageError: there is no such dataset, or no image in it.
    """
    directory = Path(dataset).expanduser()
    collection = open_collection(Request(dataset=dataset))
    names = collection.split_names
    found = [name for usual in (*EVALUATION_NAMES, *TRAIN_NAMES) for name in names if name.lower() == usual]
    if isinstance(collection, ClassDirectories) and not found:
        return Split(_all_below(directory), "all", [], {})
    name = (found or names)[0]
    return Split(_without_labels(collection, name), name, [], dict(collection.defaults))


def _all_below(directory: Path) -> FileSource:
    files = pictures_below(directory, ".")
    if not files:
        raise UsageError(f"no image files in {directory}")
    return FileSource(directory, files, np.zeros(len(files), dtype=np.int64))


def _without_labels(collection: Collection, name: str) -> Source:
    if not isinstance(collection, Tables):
        return Unlabelled(collection.open(name, None)[0])
    title = f"split '{name}' of {collection.name}"
    table = collection.loaders[name]()
    if not len(table):
        raise UsageError(f"{title} is empty")
    column = find_image_column(table, collection.image_column, title)
    labels = np.zeros(len(table), dtype=np.int64)
    return TableSource(table, (column, None), labels, title, collection.root)


class Unlabelled(Wrapped):
    """The images of a source, all with label 0."""

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return self.source[index][0], 0


class Relabelled(Wrapped):
    """A source whose label k is another one's number `numbers[k]`."""

    def __init__(self, source: Source, numbers: Sequence[int]) -> None:
        super().__init__(source)
        self.numbers = numbers

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        image, label = self.source[index]
        return image, self.numbers[label]

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of its images, if they are tensors."""
        return getattr(self.source, "shape", None)
