"""Checks of labels: class indices [b] or targets [b, c]."""

import torch
from torch import Tensor


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Check shape and dtype of labels, and their values if that is free: on the CPU, outside compiled code.

    With one class, labels [b] are values, of a regression or of a single logit.

    Args:
        labels: class indices [b] or targets [b, c].
        num_classes: c.

    Raises:
        ValueError: they are neither.
    """
    indices = labels.dim() == 1 and (num_classes == 1 or not labels.is_floating_point())
    if not indices and not (labels.dim() == 2 and labels.shape[1] == num_classes):
        allowed = f"[b] class indices or [b, {num_classes}]"
        raise ValueError(f"labels must be {allowed}, got {labels.dtype} of shape {list(labels.shape)}")
    if labels.device.type == "cpu" and not torch.compiler.is_compiling():
        check_range(labels, num_classes)


def check_range(labels: Tensor, num_classes: int) -> None:
    """Check the values of class indices [b], which waits for an accelerator; other labels may be anything.

    Raises:
        ValueError: a label is not a class.
    """
    if labels.dim() != 1 or num_classes == 1 or not len(labels):
        return
    low, high = (int(value) for value in labels.long().aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(f"labels must be from 0 to {num_classes - 1}, got {low} to {high}")


def check_rows(images: Tensor, labels: Tensor) -> None:
    """Check that there are images, and a label for each.

    Raises:
        ValueError: there are none, more or fewer labels, or other things than tensors.
    """
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} must be a tensor, got a {type(value).__name__}")
    if not len(images):
        raise ValueError(f"images must be of one example or more, got shape {list(images.shape)}")
    if labels.dim() == 0 or len(labels) != len(images):
        raise ValueError(
            f"labels must be one for each of {len(images)} images, got shape {list(labels.shape)}"
        )


def as_values(labels: Tensor, num_classes: int | None) -> Tensor:
    """Convert integer labels to floats if there is a single output: integers are classes elsewhere."""
    return labels.float() if num_classes == 1 and not labels.is_floating_point() else labels
