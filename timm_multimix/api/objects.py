"""What the functions take in the place of names."""

from os import PathLike
from typing import Any

from torch import nn

from ..options.data import OBJECT


def is_object(data: Any) -> bool:
    """Whether data are an object, not a name or a path."""
    return not isinstance(data, str | PathLike)


def model_name(model: nn.Module) -> str:
    """What a record calls a network: timm's name for it, or its class."""
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    return OBJECT + str(config.get("architecture") or type(model).__name__)
