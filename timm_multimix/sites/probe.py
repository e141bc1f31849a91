"""Measurement of what the head of a timm model uses: it is run on noise, and the model is not changed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .eval_mode import undisturbed
from .frozen_norm import recorded_inputs

# Relative change of the classifier's input: above bfloat16's rounding, below the effect of noise in a token.
_CHANGE = 0.02
_MOST_PREFIX_TOKENS = 2

# The result of a model's forward_features: one tensor [b, ...], or one for each branch or scale.
Features = Tensor | list[Tensor]


def tensors(features: Any) -> list[Tensor]:
    """Return the tensors of features, in order; none if anything in them is not a tensor."""
    parts = list(features) if isinstance(features, list | tuple) else [features]
    return parts if all(isinstance(part, Tensor) for part in parts) else []


def classifiers(model: Any) -> tuple[nn.Module, ...]:
    """Return the model's final layers; distilled and multi-scale models have several."""
    return tuple(_flattened(model.get_classifier())) if hasattr(model, "get_classifier") else ()


def _flattened(found: Any) -> list[nn.Module]:
    """Return the modules in nested tuples and lists of modules, in order."""
    if isinstance(found, (tuple, list, nn.ModuleList)):
        return [module for each in found for module in _flattened(each)]
    return [found] if isinstance(found, nn.Module) else []


def _at_rest(model: nn.Module, like: Features) -> AbstractContextManager[None]:
    """Put the model in eval mode, without gradients and autocast, on the device of the features."""
    return undisturbed(model, tensors(like)[0].device, autocast=False)


def _noise(like: Features, seed: int, dtype: torch.dtype) -> Features:
    """Draw normal features for two images, the same on every device, without the global generator."""
    generator = torch.Generator().manual_seed(seed)
    return _each(
        lambda part: torch.randn(2, *part.shape[1:], generator=generator, device="cpu").to(
            part.device, dtype
        ),
        like,
    )


def _each(function: Callable[..., Tensor], *features: Features) -> Features:
    """Apply a function to each tensor of the features; the result has the type of the first features."""
    parts = [function(*several) for several in zip(*map(tensors, features), strict=True)]
    return parts[0] if isinstance(features[0], Tensor) else parts


def head_norms(model: Any, like: Features) -> tuple[_BatchNorm, ...]:
    """Return the BatchNorms that forward_head runs on features `like` [b, ...]."""
    norms: list[_BatchNorm] = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    with _at_rest(model, like), recorded_inputs(norms) as calls:
        model.forward_head(_noise(like, 0, _head_dtype(model, like)))
    return tuple(dict.fromkeys(norm for norm, _ in calls))


def probe_tokens(model: nn.Module, like: Features) -> tuple[int, bool]:
    """Number of tokens before the positions in `like` [b, t, d], and whether the head reads them."""
    dtype = _head_dtype(model, like)
    noise, other = _noise(like, 0, dtype), _noise(like, 1, dtype)
    with _at_rest(model, like):
        before = _read(model, noise)
        prefix = getattr(model, "num_prefix_tokens", None)
        if prefix is None:
            prefix = _count_prefix(model, noise, before)
        changed = _each(lambda new, old: torch.cat([new[:, :prefix], old[:, prefix:]], 1), other, noise)
        return prefix, _differs(_read(model, changed), before)


def _count_prefix(model: nn.Module, noise: Features, before: list[Tensor]) -> int:
    """Return the smallest number of leading tokens without which the head ignores the order of the rest."""
    for prefix in range(_MOST_PREFIX_TOKENS + 1):
        if tensors(noise)[-1].shape[1] - prefix < 2:
            return prefix
        if not _differs(_read(model, _each(partial(_turned, prefix), noise)), before):
            return prefix
    return 0


def _turned(prefix: int, tokens: Tensor) -> Tensor:
    """Reverse the tokens after the prefix."""
    return torch.cat([tokens[:, :prefix], tokens[:, prefix:].flip(1)], dim=1)


def _read(model: Any, features: Features) -> list[Tensor]:
    """Return the classifiers' inputs for these features, and the logits.

    Logits alone are not enough: a classifier may be initialised with zero weights.
    """
    with recorded_inputs(classifiers(model)) as calls:
        logits = model.forward_head(features)
    return [*(x for _, x in calls), logits]


def _differs(after: list[Tensor], before: list[Tensor]) -> bool:
    pairs = zip(after, before, strict=True)
    return any(bool((a - b).norm() > _CHANGE * b.norm()) for a, b in pairs)


def _head_dtype(model: nn.Module, like: Features) -> torch.dtype:
    # Under autocast the features may be half precision; the parameters, used here without autocast, are not.
    parameters = (p.dtype for m in (*classifiers(model), model) for p in m.parameters())
    return next(parameters, tensors(like)[0].dtype)
