"""Datasets of several splits: class directories, and tables of images and labels."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dataset_names import HubName
from ..errors import UsageError
from ..records.tasks import CLASSIFICATION
from .columns import find_image_column, find_label_column
from .directories import directories, pictures_below
from .request import Request
from .shards import Shards, is_class_directories
from .sources import FileSource, Source, TableSource
from .split_names import WHOLE, is_split_name
from .targets import read_targets

if TYPE_CHECKING:
    from datasets import Dataset


class Collection(ABC):
    """A dataset of several splits, opened one by one.

    task: what the labels are for, one of `TASKS` or auto; defaults: option values that suit these images;
    contents: what makes up a split, in words; notes: what a person should know, such as of files that were
    left out.
    """

    name: str
    split_names: Sequence[str]
    task: str = CLASSIFICATION
    defaults: Mapping[str, Any] = MappingProxyType({})
    contents: Mapping[str, str] = MappingProxyType({})
    notes: Sequence[str] = ()

    def origin(self, split: str) -> object:
        """Return the source of a split's images; equal for two names of the same images."""
        return split

    @abstractmethod
    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        """Open a split, and return it with its class names: its own, else `class_names`."""


class ClassDirectories(Collection):
    """Class directories of image files, by split or not; classes are sorted by name, as in torchvision."""

    def __init__(self, root: Path, notes: Sequence[str] = ()) -> None:
        self.name, self.notes = str(root), notes
        self.directories = (
            {WHOLE: root}
            if is_class_directories(root)
            else {name: root / name for name in directories(root) if directories(root / name)}
        )
        self.split_names = list(self.directories)

    def origin(self, split: str) -> object:
        return os.path.realpath(self.directories[split])

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        """Open a split; its classes are `class_names` if it has images of no other classes."""
        directory = self.directories[split]
        files = {name: pictures_below(directory, name) for name in directories(directory)}
        if not any(files.values()):
            raise UsageError(f"no image files in the class directories of {directory}")
        if len(files) > 1 and all(map(is_split_name, files)):
            raise UsageError(
                f"{directory} must hold classes, got splits: {', '.join(files)}; --dataset is the directory "
                "of splits, and each of these has a directory for each class"
            )
        filled = [name for name in files if files[name]]
        names = class_names if class_names and set(filled) <= set(class_names) else list(files)
        labels = np.repeat([names.index(name) for name in filled], [len(files[name]) for name in filled])
        every = [file for name in filled for file in files[name]]
        return FileSource(directory, every, labels.astype(np.int64)), names


class Tables(Collection):
    """Splits that are `datasets.Dataset`s, each loaded when it is opened.

    shards: the files they are read from, which paths of images are relative to unless there is a `data_dir`;
    hub: their name there.
    """

    def __init__(
        self,
        request: Request,
        loaders: Mapping[str, Callable[[], "Dataset"]],
        *,
        shards: Shards | None = None,
        notes: Sequence[str] = (),
        hub: HubName | None = None,
    ) -> None:
        self.name, self.loaders = request.dataset, loaders
        self.split_names, self.shards, self.notes = list(loaders), shards, notes
        self.contents = shards.contents if shards else {}
        self.image_column, self.label_column = request.image_column, request.label_column
        self.task, self.hub = request.task, hub
        self.root = request.data_dir.expanduser() if request.data_dir else shards.root if shards else Path()

    def origin(self, split: str) -> object:
        return [os.path.realpath(file) for file in self.shards.splits[split]] if self.shards else split

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        title = f"split '{split}' of {self.name}"
        dataset = self.loaders[split]()
        if not len(dataset):
            raise UsageError(f"{title} is empty")
        image = find_image_column(dataset, self.image_column, title)
        label = find_label_column(dataset, self.label_column, title)
        labels, names = read_targets(dataset, label, self.task, class_names, title)
        return TableSource(dataset, (image, label), labels, title, self.root), names


def opened(splits: Mapping[Any, "Dataset"]) -> dict[str, Callable[[], "Dataset"]]:
    """Return the loaders of splits that are loaded already, for `Tables`."""
    return {str(split): partial(splits.__getitem__, split) for split in splits}
