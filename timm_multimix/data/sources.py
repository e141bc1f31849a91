"""Sources of labelled images: arrays, files, and rows of a memory-mapped table."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image

from .columns import is_text
from .images import BrokenImage, ImageData, decode_image

if TYPE_CHECKING:
    from datasets import Dataset


class Source(Protocol):
    """One split: images in the mode they are stored in, with their labels.

    A label is a class number, or a float tensor: [c] of 0 and 1 for several labels, [] for a number.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        """Decodes one sample. Raises: BrokenImage, which names it."""

    def describe(self, index: int) -> str:
        """The file or the row, for messages."""


def label_at(labels: np.ndarray, index: int) -> Any:
    """Return one label of class numbers [n], numbers [n] or rows [n, c], in the form of samples."""
    if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        return int(labels[index])
    return torch.tensor(labels[index], dtype=torch.float32)


class ArraySource:
    """Images of 8 bits held in memory: greyscale [n, h, w], or [n, h, w, c] of two to four channels."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, title: str) -> None:
        self.images, self.labels, self.title = images, labels, title

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        return Image.fromarray(self.images[index]), label_at(self.labels, index)

    def describe(self, index: int) -> str:
        return f"image {index} of {self.title}"


class Wrapped:
    """The samples of another source; subclasses change what these are."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        return self.source[index]

    def describe(self, index: int) -> str:
        return self.source.describe(index)


class FileSource:
    """Image files below a directory."""

    def __init__(self, directory: Path, files: Sequence[str], labels: np.ndarray) -> None:
        self.directory, self.labels = directory, labels
        # one array instead of a list of strings, so that forked workers share its memory
        self.names = np.array([os.fsencode(name) for name in files])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return decode_image(self._path(index), lambda: self.describe(index)), int(self.labels[index])

    def _path(self, index: int) -> Path:
        return self.directory / os.fsdecode(self.names[index])

    def describe(self, index: int) -> str:
        return str(self._path(index))


class TableSource:
    """Rows of a `datasets.Dataset`, read from its memory-mapped table without row formatting.

    columns: those of the images, which are encoded bytes, paths, or structs of `bytes` and `path`, and of the
    labels (None where they do not matter); root: what paths are relative to.
    """

    def __init__(
        self,
        dataset: "Dataset",
        columns: tuple[str, str | None],
        labels: np.ndarray,
        title: str,
        root: Path = Path(),
    ) -> None:
        self.dataset, self.columns, self.labels, self.title = dataset, columns, labels, title
        self.root = root
        self._cells: tuple[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        image = decode_image(self._image_data(index), lambda: self.describe(index))
        return image, label_at(self.labels, index)

    def describe(self, index: int) -> str:
        path = self._value(1, index)
        return f"row {index} of {self.title}" + (f" ({path})" if path else "")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cells": None}  # the columns would be copied; the dataset maps them again

    def _image_data(self, index: int) -> ImageData:
        data = self._value(0, index)
        if data is not None:
            return data
        path = self._value(1, index)
        if path is None:
            raise BrokenImage(f"broken image, {self.describe(index)}: no image in this row")
        return self.root / path

    def _value(self, part: int, index: int) -> Any:
        if self._cells is None:
            self._cells = _bytes_and_paths(self.dataset.data.column(self.columns[0]))
        column = self._cells[part]
        return None if column is None else column[index].as_py()


def _bytes_and_paths(column: Any) -> tuple[Any, Any]:
    """Split a column of images into one of encoded bytes and one of paths; None for a missing one."""
    import pyarrow

    if is_text(column.type):
        return None, column
    if not pyarrow.types.is_struct(column.type):
        return column, None
    fields = dict(zip([field.name for field in column.type], column.flatten(), strict=True))
    return fields.get("bytes"), fields.get("path")
