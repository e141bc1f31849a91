"""What a timm model's head reads, found by running it on noise without leaving a trace in the model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .frozen_norm import recorded_inputs

# Relative change of what the classifier reads: above bfloat16's rounding, below what a token's noise makes.
_CHANGE = 0.02
_MOST_PREFIX_TOKENS = 2


def classifiers(model: Any) -> tuple[nn.Module, ...]:
    """The model's last maps, of which distilled and multi-scale models have several."""
    found = model.get_classifier() if hasattr(model, "get_classifier") else ()
    found = found if isinstance(found, (tuple, list, nn.ModuleList)) else (found,)
    return tuple(module for module in found if isinstance(module, nn.Module))


@contextmanager
def _at_rest(model: nn.Module, device_type: str) -> Iterator[None]:
    """Every module in eval mode, without gradients and autocast; the modes return afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.no_grad(), torch.autocast(device_type, enabled=False):
            yield
    finally:
        for module, training in modes:
            module.training = training


def _noise(like: Tensor, seed: int) -> Tensor:
    """Standard normal features for two images, the same on every device; the global generator is not used."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *like.shape[1:], generator=generator).to(like.device)


def head_norms(model: Any, like: Tensor) -> tuple[_BatchNorm, ...]:
    """The BatchNorms that forward_head runs through on features `like` [b, ...]."""
    norms: list[_BatchNorm] = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    with _at_rest(model, like.device.type), recorded_inputs(norms) as calls:
        model.forward_head(_noise(like, 0).to(_head_dtype(model, like)))
    return tuple(dict.fromkeys(norm for norm, _ in calls))


def probe_tokens(model: nn.Module, like: Tensor) -> tuple[int, bool]:
    """Number of tokens in front of the positions in `like` [b, t, d], and whether the head reads them."""
    noise, other = _noise(like, 0), _noise(like, 1)
    dtype = _head_dtype(model, like)
    with _at_rest(model, like.device.type):
        read = _reader(model, dtype)
        before = read(noise)
        prefix = getattr(model, "num_prefix_tokens", None)
        if prefix is None:
            prefix = _count_prefix(read, noise, before)
        changed = torch.cat([other[:, :prefix], noise[:, prefix:]], dim=1)
        return prefix, _differs(read(changed), before)


def _count_prefix(read: Callable[[Tensor], list[Tensor]], noise: Tensor, before: list[Tensor]) -> int:
    """The fewest leading tokens without which the order of the rest is nothing to the head."""
    for prefix in range(_MOST_PREFIX_TOKENS + 1):
        turned = torch.cat([noise[:, :prefix], noise[:, prefix:].flip(1)], dim=1)
        if noise.shape[1] - prefix < 2 or not _differs(read(turned), before):
            return prefix
    return 0


def _reader(model: Any, dtype: torch.dtype) -> Callable[[Tensor], list[Tensor]]:
    """A function from features to what the classifiers read of them, and to the logits.

    Logits alone would not do: a classifier may begin with zero weights.
    """

    def read(features: Tensor) -> list[Tensor]:
        with recorded_inputs(classifiers(model)) as calls:
            logits = model.forward_head(features.to(dtype))
        return [*(x for _, x in calls), logits]

    return read


def _differs(after: list[Tensor], before: list[Tensor]) -> bool:
    pairs = zip(after, before, strict=True)
    return any(bool((a - b).norm() > _CHANGE * b.norm()) for a, b in pairs)


def _head_dtype(model: nn.Module, like: Tensor) -> torch.dtype:
    # Under autocast the features may be half precision where the parameters, used here without it, are not.
    return next((p.dtype for m in (*classifiers(model), model) for p in m.parameters()), like.dtype)
