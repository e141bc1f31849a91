"""Private API of other libraries that this package needs; no other module uses any.

Each entry says for what there is no public function.
"""

import importlib
from typing import Any

import torch

from .errors import UsageError

# Gamma variates from a given generator: torch.distributions uses the global one.
standard_gamma = torch._standard_gamma


def in_backward() -> bool:
    """Return whether this code runs inside a backward pass, as checkpointed blocks do."""
    return torch._C._current_graph_task_id() != -1


def feature_take_indices(count: int, indices: Any) -> tuple[list[int], int]:
    """Return the layers that `indices` of timm's forward_intermediates select, and the last one.

    A model with that interface has to interpret them as timm's own models do.
    """
    from timm.models._features import feature_take_indices

    return feature_take_indices(count, indices)


def save_config_for_hf(*arguments: Any, **options: Any) -> None:
    """Write a model's config.json as timm does; timm's public function also writes the weights."""
    from timm.models._hub import save_config_for_hf

    save_config_for_hf(*arguments, **options)


def shut_down_workers(batches: Any) -> None:
    """End the worker processes of a DataLoader's iterator; by themselves they end only when it is deleted."""
    batches._shutdown_workers()


def scipy_module(name: str) -> Any:
    """Import a module of SciPy, which this package requires but timm does not, when it is first needed.

    Raises:
        UsageError: SciPy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError as error:
        raise UsageError("puzzlemix needs SciPy, which is not installed; run `pip install scipy`") from error
