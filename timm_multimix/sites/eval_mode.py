"""Passes through a model that do not change it: eval mode, autocast and random numbers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode, so that its buffers do not change; restore its mode afterwards."""
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
    """Put a model in eval mode for an extra pass of a training step or of its set-up.

    Args:
        model: the model.
        device: its device.
        grad: whether gradients are as outside, instead of off.
        autocast: whether autocast is as outside, instead of off.
        keep_random: whether to restore the state of the random numbers afterwards; for models that draw in
            eval mode, too.
    """
    with (
        eval_mode(model),
        nullcontext() if grad else torch.no_grad(),
        _autocast_as_outside(device.type) if autocast else torch.autocast(device.type, enabled=False),
        _random_numbers_kept(device) if keep_random else nullcontext(),
    ):
        yield


def _autocast_as_outside(device_type: str) -> AbstractContextManager[object]:
    """Return autocast as outside, without its cache.

    The training pass must not reuse casts of parameters made here: they have no gradient, so it would not
    train the parameters.
    """
    enabled, dtype = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    return torch.autocast(device_type, dtype, enabled=enabled, cache_enabled=False)


def _random_numbers_kept(device: torch.device) -> AbstractContextManager[object]:
    return torch.random.fork_rng([device] if device.type == "cuda" else [])
