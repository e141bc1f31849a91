"""A description of a run's data: in words for the terminal, as values for its record."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..dataset_names import HubName
from ..errors import counted, quoted
from ..records.tasks import CLASSIFICATION, MULTI_LABEL, REGRESSION
from .columns import shown
from .dataset import ImageDataset
from .held_out import HeldOut
from .splits import Splits
from .targets import task_of


@dataclass(frozen=True)
class Part:
    """A split in use. empty: the classes without images; None for a stream, whose labels are unknown."""

    split: str
    samples: int
    broken: list[str]
    empty: list[str] | None


@dataclass(frozen=True)
class Description:
    """The data of a run: `text` and `warnings` for a person, `record` for summary.json."""

    dataset: str
    hub: HubName | None
    columns: tuple[str, str] | None
    class_names: list[str]
    train: Part
    evaluation: Part
    notes: list[str]
    held_out: HeldOut | None = None
    task: str = CLASSIFICATION

    @property
    def text(self) -> str:
        """Two lines: the chosen data, and the numbers of images."""
        train, evaluation = self.train, self.evaluation
        columns = "" if self.columns is None else ", images in column '{}', labels in column '{}'"
        classes = counted(len(self.class_names), "class", "classes")
        if self.task != CLASSIFICATION:
            classes = self.task + (f" of {classes}" if self.task == MULTI_LABEL else "")
        left_out = f"; {_broken(self.skipped)} left out" if self.skipped else ""
        return (
            f"data: {self.dataset}{columns.format(*(self.columns or ()))}, {classes}\n"
            f"training on split '{train.split}' ({train.samples} images), "
            f"evaluation on split '{evaluation.split}' ({evaluation.samples} images){left_out}"
        )

    @property
    def skipped(self) -> int:
        """The number of broken images that --skip-broken left out."""
        return len(self.train.broken) + len(self.evaluation.broken)

    @property
    def warnings(self) -> list[str]:
        """Possible mistakes in the data, with the numbers, one per line."""
        return [*self.notes, *self._missing_images(), *self._doubts()]

    @property
    def record(self) -> dict[str, Any]:
        """Plain values for summary.json, in addition to its splits and their sizes."""
        parts = {"train": self.train, "evaluation": self.evaluation}
        return {
            **(self.hub._asdict() if self.hub else {}),
            **dict(zip(("image_column", "label_column"), self.columns or (), strict=False)),
            **({"held_out": asdict(self.held_out)} if self.held_out else {}),
            "skipped": {name: len(part.broken) for name, part in parts.items()},
            "classes_without_images": {
                name: None if part.empty is None else len(part.empty) for name, part in parts.items()
            },
        }

    def _missing_images(self) -> Iterator[str]:
        names, train, evaluation = self.class_names, self.train, self.evaluation
        of_all = f"of {len(names)} classes"
        for part in (train, evaluation):
            if part.broken:
                count = _broken(len(part.broken))
                yield f"split '{part.split}' without {count}, the first: {part.broken[0]}"
        if train.empty:
            yield f"{len(train.empty)} {of_all} have no training image: {shown(train.empty)}"
        if missing := [name for name in evaluation.empty or [] if name not in (train.empty or [])]:
            yield (
                f"{len(missing)} {of_all} have no image in split '{evaluation.split}', whose accuracy says "
                f"nothing of them: {shown(missing)}"
            )

    def _doubts(self) -> Iterator[str]:
        """Return reasons to doubt that the labels are classes."""
        names, train = self.class_names, self.train
        if self.task != CLASSIFICATION:
            return
        if len(names) == 1:
            yield f"there is one class only, {quoted(names[0])}, so nothing to tell apart"
        used = len(names) - len(train.empty or [])
        if used > 2 and 2 * used > train.samples:
            yield f"{used} classes for {train.samples} training images: are these labels?"
        if alike := _alike(names):
            yield f"classes that differ in capitals or spaces only: {shown(alike)}"


def describe_data(dataset: str, splits: Splits, train: ImageDataset, evaluation: ImageDataset) -> Description:
    """Describe the splits, after broken images have been left out."""
    return Description(
        dataset,
        splits.hub,
        getattr(splits.train, "columns", None),
        splits.class_names,
        _part(splits.train_split, splits.train, train, splits.class_names),
        _part(splits.evaluation_split, splits.evaluation, evaluation, splits.class_names),
        splits.notes,
        splits.held_out,
        splits.task,
    )


def _part(split: str, source: Any, dataset: ImageDataset, names: list[str]) -> Part:
    return Part(split, len(dataset), dataset.broken, _empty(source, dataset, names))


def _empty(source: Any, dataset: ImageDataset, names: list[str]) -> list[str] | None:
    """Return the classes without an image; None for a stream, whose labels are not known yet."""
    labels = getattr(source, "labels", None)
    if labels is None:
        return None
    left, task = np.asarray(labels)[dataset.rows], task_of(labels)
    if task == REGRESSION:
        return []
    counts = left.sum(0) if task == MULTI_LABEL else np.bincount(left, minlength=len(names))
    return [name for name, count in zip(names, counts, strict=True) if not count]


def _broken(count: int) -> str:
    return counted(count, "broken image")


def _alike(names: list[str]) -> list[str]:
    """Return, in quotes, names that differ from others only in capitals and spaces."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(name.split()).casefold(), []).append(name)
    return [quoted(name) for group in groups.values() if len(group) > 1 for name in group]
