"""Tests and names for arguments that are objects instead of names."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from torch import nn

from ..errors import UsageError
from ..options.data import OBJECT


def is_object(data: Any) -> bool:
    """Return whether data are an object, not a name or a path."""
    return not isinstance(data, str | PathLike)


def check_given_once(options: Mapping[str, Any], argument: str) -> None:
    """Check that data are given by the argument for them, not by the command line's option as well.

    Raises:
        UsageError: `dataset` is among the options.
    """
    if "dataset" in options:
        raise UsageError(f"dataset must be left out; data are given as {argument}, by name or as an object")


def model_name(model: nn.Module) -> str:
    """Return a network's name for records: timm's, or its class."""
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    return OBJECT + str(config.get("architecture") or type(model).__name__)
