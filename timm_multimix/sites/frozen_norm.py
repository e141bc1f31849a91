"""BatchNorm in a head that runs twice in a step: record its batch statistics, and use them again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Statistics(NamedTuple):
    """Mean and (biased) variance [c] of a norm's input, with their gradient."""

    norm: _BatchNorm
    mean: Tensor
    var: Tensor


def uses_batch_statistics(norm: _BatchNorm) -> bool:
    """Return whether the norm would normalise its next input by that input's own statistics."""
    return norm.training or (norm.running_mean is None and norm.running_var is None)


@contextmanager
def recorded_inputs(modules: Iterable[AnyModule]) -> Iterator[list[tuple[AnyModule, Tensor]]]:
    """Record (module, its first argument) for each call of one of the modules in the context."""
    calls: list[tuple[AnyModule, Tensor]] = []
    handles = [m.register_forward_pre_hook(lambda m, args: calls.append((m, args[0]))) for m in modules]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def batch_statistics(norm: _BatchNorm, x: Tensor) -> Statistics:
    """Return the statistics of x [n, c, ...] over all dimensions but the channels, in float32 at least."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    var, mean = torch.var_mean(wide, dim=[0, *range(2, x.ndim)], correction=0)
    return Statistics(norm, mean, var)


@contextmanager
def reused(statistics: Iterable[Statistics]) -> Iterator[None]:
    """Let the norms in the context normalise by the given statistics, and keep their running ones unchanged.

    The input is normalised in a hook before the norm, whose own mean and variance are set to 0 and 1 - eps
    meanwhile. So its affine map, and an activation inside of it, need no second implementation.
    """
    undo = [_freeze(entry) for entry in statistics]
    try:
        yield
    finally:
        for handle, norm, training, buffers in reversed(undo):
            handle.remove()
            norm.training = training
            norm._buffers.update(buffers)


def _freeze(entry: Statistics) -> tuple[RemovableHandle, _BatchNorm, bool, dict[str, Tensor | None]]:
    norm, mean, var = entry

    def normalise(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        shape = (1, -1) + (1,) * (args[0].ndim - 2)
        y = (args[0] - mean.view(shape)) * torch.rsqrt(var + norm.eps).view(shape)
        return (y.to(args[0].dtype),)

    saved = {name: norm._buffers[name] for name in ("running_mean", "running_var")}
    like = mean.detach() if norm.running_mean is None else norm.running_mean
    norm._buffers.update(running_mean=torch.zeros_like(like), running_var=torch.full_like(like, 1 - norm.eps))
    training, norm.training = norm.training, False
    return norm.register_forward_pre_hook(normalise), norm, training, saved
