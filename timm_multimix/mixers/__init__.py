"""The registry of mixers, and the spec strings that name and combine them."""

from .mixer import Context, Mixer
from .mixture import Mixture, create_mixer
from .registry import describe, list_mixers, register_mixer
from .sources import Agreement, Paper
from .step import Step, Term

# registers the mixers, in the order in which they are listed
from . import pairs, masks, tuples, guided, transformers  # noqa: F401  # isort: skip

__all__ = [
    "Agreement",
    "Context",
    "Mixer",
    "Mixture",
    "Paper",
    "Step",
    "Term",
    "create_mixer",
    "describe",
    "list_mixers",
    "register_mixer",
]
