"""Tests and names for arguments that are objects instead of names."""

from os import PathLike
from typing import Any

from torch import nn

from ..options.data import OBJECT


def is_object(data: Any) -> bool:
    """Return whether data are an object, not a name or a path."""
    return not isinstance(data, str | PathLike)


def model_name(model: nn.Module) -> str:
    """Return a network's name for records: timm's, or its class."""
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    return OBJECT + str(config.get("architecture") or type(model).__name__)
