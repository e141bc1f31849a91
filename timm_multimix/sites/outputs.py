"""Logits from the output of a model, of any type."""

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError


def as_logits(output: Any) -> Tensor:
    """Logits [b, c] in a model's output: a tensor, an object with `.logits`, or the mean of several heads.

    Raises:
        UsageError: the output is none of these, or of another shape.
    """
    output = getattr(output, "logits", output)
    heads = tuple(output) if isinstance(output, tuple | list) else (output,)
    if not heads or not all(isinstance(head, Tensor) for head in heads):
        given = type(output).__name__
        raise UsageError(
            f"the model must return logits, an object with .logits, or a tuple of logits, got {given}"
        )
    if heads[0].dim() != 2 or any(head.shape != heads[0].shape for head in heads):
        shapes = ", ".join(str(list(head.shape)) for head in heads)
        raise UsageError(f"the model must return logits [b, c], got {shapes}")
    return torch.stack(heads).mean(0) if len(heads) > 1 else heads[0]
