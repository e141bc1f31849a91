"""NumPy's `.npz` files of images and labels."""

import re
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from ...errors import UsageError, one_line
from ...options.declaration import Trait
from ..collection import Collection
from ..columns import shown
from ..request import Request
from ..sources import ArraySource, Source
from ..split_names import WHOLE, split_word
from ..targets import read_array
from .declaration import Kind

_IMAGES = frozenset({"image", "images", "img", "imgs", "x", "data"})
_LABELS = frozenset({"label", "labels", "y", "target", "targets"})


class Arrays(Collection):
    """The arrays of a file by split."""

    def __init__(self, request: Request) -> None:
        self.name, self.task = request.dataset, request.task
        self.arrays = _read(request)
        self.splits = _pairs(self.arrays, self.name)
        self.split_names = list(self.splits)

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        """A split and its class names."""
        title = f"split '{split}' of {self.name}"
        images, labels = (self.arrays[name] for name in self.splits[split])
        channels = images.shape[3] if images.ndim == 4 else 1
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or channels > 4:
            raise UsageError(
                f"the images of {title} must be uint8 [n, h, w] or [n, h, w, c] of 1, 3 or 4 channels, got "
                f"{images.dtype} {list(images.shape)}"
            )
        if len(images) != len(labels):
            raise UsageError(f"{title} has {len(images)} images and {len(labels)} labels")
        numbers, names = read_array(labels, self.task, class_names, title)
        return ArraySource(images[..., 0] if images.shape[3:] == (1,) else images, numbers, title), names


def _read(request: Request) -> dict[str, np.ndarray]:
    try:
        with np.load(request.path) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"dataset '{request.dataset}' cannot be read: {one_line(error)}") from error


def _by_split(names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """The names of arrays by split and by role, `images` or `labels`."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        words = set(re.findall(r"[a-z]+", name.lower()))
        role = "images" if words & _IMAGES else "labels" if words & _LABELS else None
        if role:
            found.setdefault(split_word(name) or WHOLE, {}).setdefault(role, []).append(name)
    return found


def _pairs(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, tuple[str, str]]:
    """The names of the images and the labels of every split.

    Raises:
        UsageError: there are none, or several.
    """
    found = _by_split(arrays)
    complete = all(len(part.get(role, [])) == 1 for part in found.values() for role in ("images", "labels"))
    if not found or not complete:
        held = shown([f"{key} {list(array.shape)}" for key, array in arrays.items()])
        raise UsageError(
            f"'{name}' must hold the arrays images and labels, or train_images, train_labels, val_images and "
            f"so on; got {held or 'none'}"
        )
    return {split: (part["images"][0], part["labels"][0]) for split, part in found.items()}


KIND = Kind(
    title="NumPy arrays",
    form="FILE.npz",
    about="""\
The arrays `images`, uint8 [n, h, w] or [n, h, w, c], and `labels` [n] of a file of `numpy.savez`; or, for
several splits, `train_images` and `train_labels` (`x_train` and `y_train`), `val_images` and `val_labels`
and so on. All of it is read into memory.""",
    matches=lambda request: request.file is not None and request.file.suffix.lower() == ".npz",
    open=Arrays,
    traits=frozenset({Trait.TARGETS}),
)
