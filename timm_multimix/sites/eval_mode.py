"""Passes through a model that leave no trace in it: eval mode, and what else a pass could disturb."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Every module in eval mode, so that its buffers stay as they are; each as it was before afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def undisturbed(
    model: nn.Module,
    device: torch.device,
    *,
    grad: bool = False,
    autocast: bool = True,
    keep_random: bool = False,
) -> Iterator[None]:
    """Eval mode for a pass that a training step or the set-up of one makes beside its own.

    Args:
        model: what the pass goes through.
        device: where it is.
        grad: whether gradients are as outside, instead of off.
        autocast: whether autocast is as outside, instead of off.
        keep_random: whether random numbers go on outside as if none was drawn inside; for models that draw
            in eval mode too.
    """
    with (
        eval_mode(model),
        nullcontext() if grad else torch.no_grad(),
        _autocast_as_outside(device.type) if autocast else torch.autocast(device.type, enabled=False),
        _random_numbers_kept(device) if keep_random else nullcontext(),
    ):
        yield


def _autocast_as_outside(device_type: str) -> AbstractContextManager[object]:
    """Autocast without its cache.

    Casts of parameters made here must not serve the training pass, which without gradient on them would not
    train.
    """
    enabled, dtype = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    return torch.autocast(device_type, dtype, enabled=enabled, cache_enabled=False)


def _random_numbers_kept(device: torch.device) -> AbstractContextManager[object]:
    return torch.random.fork_rng([device] if device.type == "cuda" else [])
