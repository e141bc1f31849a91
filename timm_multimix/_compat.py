"""What other libraries keep to themselves and is needed all the same: the only place that names it.

Each entry says what there is no public way to ask for.
"""

import importlib
from typing import Any

import torch

from .errors import UsageError

# Gamma variates by a generator of one's own: torch.distributions draws from the global one.
standard_gamma = torch._standard_gamma


def in_backward() -> bool:
    """Whether this code runs inside of a backward pass, as checkpointed blocks do once more."""
    return torch._C._current_graph_task_id() != -1


def feature_take_indices(count: int, indices: Any) -> tuple[list[int], int]:
    """The numbers of the layers that `indices` of timm's forward_intermediates ask for, and the last one.

    A model of that interface has to read them as timm's own do.
    """
    from timm.models._features import feature_take_indices

    return feature_take_indices(count, indices)


def save_config_for_hf(*arguments: Any, **options: Any) -> None:
    """Write a model's config.json as timm does; its public function writes the weights as well."""
    from timm.models._hub import save_config_for_hf

    save_config_for_hf(*arguments, **options)


def shut_down_workers(batches: Any) -> None:
    """End the worker processes of a DataLoader's iterator, which otherwise end with the iterator's memory."""
    batches._shutdown_workers()


def scipy_module(name: str) -> Any:
    """A module of SciPy, which comes with this package but not with timm, loaded when it is first needed.

    Raises:
        UsageError: SciPy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError as error:
        raise UsageError("puzzlemix needs SciPy, which is not installed; run `pip install scipy`") from error
