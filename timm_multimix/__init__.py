"""Mixed-sample augmentation for timm models, from mixup at the input to MultiMix before the classifier.

The functions are the commands of `timm-multimix` in Python (`train`, `evaluate`, `compare`, `preview`);
`MixTask` and `create_mixer` are for training loops of your own, `functional` for tensors.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import functional, models
    from .api import Run, compare, evaluate, preview, train
    from .mixers import create_mixer, list_mixers, register_mixer
    from .task import MixTask
    from .training import Callback

__all__ = [
    "Callback",
    "MixTask",
    "Run",
    "compare",
    "create_mixer",
    "evaluate",
    "functional",
    "list_mixers",
    "models",
    "preview",
    "register_mixer",
    "train",
]

_HOMES = {
    "MixTask": ".task",
    "Callback": ".training",
    **dict.fromkeys(("create_mixer", "list_mixers", "register_mixer"), ".mixers"),
    **dict.fromkeys(("Run", "compare", "evaluate", "preview", "train"), ".api"),
}


def __getattr__(name: str) -> Any:
    """Import a part on first access: the command line reads its options before torch is imported."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _register_models()
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    return importlib.import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _register_models() -> None:
    importlib.import_module(".models", __name__)


if "timm" in sys.modules:
    _register_models()
