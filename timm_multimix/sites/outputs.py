"""Logits from the output of a model, of any type."""

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError


def as_logits(output: Any) -> Tensor:
    """Logits in a model's output: a tensor, an object with `.logits`, or the mean of several heads.

    Raises:
        UsageError: the output is none of these.
    """
    output = getattr(output, "logits", output)
    if isinstance(output, tuple | list) and output and all(isinstance(part, Tensor) for part in output):
        return torch.stack(tuple(output)).mean(0)
    if isinstance(output, Tensor):
        return output
    given = type(output).__name__
    raise UsageError(
        f"the model must return logits, an object with .logits, or a tuple of logits, got {given}"
    )
