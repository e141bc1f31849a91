"""Mixers that draw by a guide: what the images, or the model's passes over them, say of each position."""

from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..functional import Draw
from .building import as_usage_error
from .mixer import Context, Mixer


def make_guided(mixing: F.mixing[...], guide: str, arguments: dict[str, Any]) -> Mixer:
    """A mixer that draws with a function of `functional` by what it makes of a guide."""
    needs = () if guide == "spectral" else (guide,)
    return Mixer(mixing.draw.__name__, partial(_sample_by, mixing, guide, arguments), needs=needs)


def _sample_by(
    mixing: F.mixing[...], guide: str, arguments: dict[str, Any], x: Tensor, context: Context
) -> Draw:
    with as_usage_error():
        return mixing.draw(x, _READ[guide](x, context), **arguments, generator=context.generator)


def _spectral(x: Tensor, context: Context) -> Tensor:
    return F.spectral_residual(x)


def _gradient(x: Tensor, context: Context) -> Tensor:
    assert context.gradient is not None
    return F.gradient_saliency(context.gradient)


def _features(x: Tensor, context: Context) -> Tensor:
    assert context.features is not None
    return F.feature_attention(context.features)


def _activation(x: Tensor, context: Context) -> Tensor:
    assert context.activation is not None
    return context.activation


_READ = {"spectral": _spectral, "gradient": _gradient, "features": _features, "activation": _activation}
