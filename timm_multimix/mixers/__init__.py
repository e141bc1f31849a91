"""The registry of mixers and the strings that name them."""

from . import guided, images, methods  # noqa: F401  (register the mixers)
from .mixer import Context, Mixer
from .mixture import Mixture, create_mixer
from .registry import describe, list_mixers, register_mixer

__all__ = ["Context", "Mixer", "Mixture", "create_mixer", "describe", "list_mixers", "register_mixer"]
