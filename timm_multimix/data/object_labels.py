"""The labels of datasets and loaders that are given as objects."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from ..records.tasks import CLASSIFICATION, MULTI_LABEL, REGRESSION
from .targets import AUTO


@dataclass(frozen=True)
class Labelling:
    """What labels are for, one of `TASKS`, and the names of the classes, or of the number."""

    task: str
    class_names: list[str]

    def read(self, label: Any, what: str) -> int | Tensor:
        """The label of one image: a class index, float32 [c] of 0 and 1, or float32 [].

        Raises:
            UsageError: it is another.
        """
        found = as_tensor(label)
        if found is None or found.dim() != self._dim or not self._fits(found):
            raise UsageError(f"the label of {what} must be {self._wanted}, got {label!r}")
        return int(found) if self.task == CLASSIFICATION else found.float()

    def read_batch(self, labels: Tensor, what: str) -> Tensor:
        """The labels of a batch: class indices [b], float32 [b, c] of 0 and 1, or float32 [b].

        Raises:
            UsageError: they are others.
        """
        found = without_column(labels)
        if found.dim() != 1 + self._dim or not self._fits(found):
            given = f"{list(labels.shape)} of {labels.dtype} from {labels.min()} to {labels.max()}"
            raise UsageError(f"each label of {what} must be {self._wanted}, got {given}")
        return found.long() if self.task == CLASSIFICATION else found.float()

    @property
    def _dim(self) -> int:
        """The dimensions of a label."""
        return 1 if self.task == MULTI_LABEL else 0

    @property
    def _wanted(self) -> str:
        classes = len(self.class_names)
        return {
            CLASSIFICATION: f"an integer from 0 to {classes - 1}",
            MULTI_LABEL: f"{classes} numbers, each 0 or 1",
            REGRESSION: "a finite number",
        }[self.task]

    def _fits(self, labels: Tensor) -> bool:
        """Whether labels [] or [c], or of a batch, have values that are allowed."""
        classes = len(self.class_names)
        if self.task == REGRESSION:
            return bool(labels.isfinite().all())
        if self.task == MULTI_LABEL:
            return labels.shape[-1] == classes and bool(((labels == 0) | (labels == 1)).all())
        whole = not labels.is_floating_point() and labels.dtype != torch.bool
        return whole and int(labels.min()) >= 0 and int(labels.max()) < classes


def find_task(label: Any, asked: str, title: str) -> str:
    """What labels such as this one are for: several numbers multi-label, a float regression, else classes.

    Raises:
        UsageError: another task is asked for.
    """
    found = as_tensor(label)
    task = CLASSIFICATION
    if found is not None and found.dim() == 1:
        task = MULTI_LABEL
    elif found is not None and found.is_floating_point():
        task = REGRESSION
    if asked in (AUTO, task) or (asked == REGRESSION and task == CLASSIFICATION and found is not None):
        return task if asked == AUTO else asked
    raise UsageError(f"`task` {asked}: the labels of {title} are for {task}, such as {label!r}")


def name_targets(task: str, label: Any, known: list[str] | None, count: int | None, title: str) -> list[str]:
    """The names of the classes, or of the number.

    Args:
        task: what the labels are for.
        label: the first of them.
        known: names of the classes, where there are any.
        count: how many classes there are, where nothing names them.
        title: what messages call the data.

    Raises:
        UsageError: nothing says how many classes there are.
    """
    if task == REGRESSION:
        return ["value"]
    if known is None and task == MULTI_LABEL:
        found = as_tensor(label)
        count = count if found is None else len(found)
    if known is None and count is None:
        raise UsageError(f"the classes of {title} are not known; give num_classes")
    return known or [str(number) for number in range(count or 0)]


def as_tensor(label: Any) -> Tensor | None:
    """A number, several numbers, an array or a tensor as [] or [c]; None for anything else."""
    try:
        found = label if isinstance(label, Tensor) else torch.as_tensor(np.asarray(label))
    except (TypeError, ValueError):
        return None
    return found.reshape(()) if found.numel() == 1 else found


def without_column(labels: Tensor) -> Tensor:
    """Labels [b, 1] as [b]; others as they are."""
    return labels[:, 0] if labels.dim() == 2 and labels.shape[1] == 1 else labels
