"""Drawing: apply a function to a batch, with its arguments, the step's generator and a guide.

A guide is a tensor of the images or of a model's passes over them, such as saliency or attention.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from .. import functional as F
from ..functional import Draw
from ..functional.partners import find_bandwidth
from .arguments import as_usage_error
from .mixer import Context


def draw_with(
    function: Callable[..., Any], arguments: Mapping[str, Any], x: Tensor, context: Context
) -> Draw:
    """Return the draw for x of a function that is not guided.

    Raises:
        UsageError: the function cannot mix such tensors.
    """
    with as_usage_error():
        arguments = _with_partners(arguments, x, context)
        drawn: Draw = draw_of(function)(x, **arguments, generator=context.generator)
    return drawn


def draw_by(
    function: Callable[..., Any], guide: str, arguments: Mapping[str, Any], x: Tensor, context: Context
) -> Draw:
    """Return the draw for x of a function whose second parameter is a guide.

    Raises:
        UsageError: the function cannot mix such tensors.
    """
    with as_usage_error():
        arguments = _with_partners(arguments, x, context)
        drawn: Draw = draw_of(function)(
            x, GUIDES[guide](x, context), **arguments, generator=context.generator
        )
    return drawn


def draw_of(function: Callable[..., Any]) -> Callable[..., Draw]:
    """Return the draw of a function of `functional`; another function as it is."""
    draw: Callable[..., Draw] = getattr(function, "draw", function)
    return draw


def _with_partners(arguments: Mapping[str, Any], x: Tensor, context: Context) -> Mapping[str, Any]:
    """Return the arguments, with indices of the partners if these are chosen by the labels."""
    bandwidth = find_bandwidth(arguments.get("partner"))
    if bandwidth is None:
        return arguments
    partner = F.closest_partners(_labels(x, context), bandwidth, context.generator)
    return {**arguments, "partner": partner}


def _labels(x: Tensor, context: Context) -> Tensor:
    if context.labels is None:
        raise ValueError(
            "labels must be given where partners are chosen by closeness of the labels, got none"
        )
    if len(context.labels) != len(x):
        raise ValueError(
            f"labels must be one for each of the {len(x)} examples that are mixed, got {len(context.labels)}"
        )
    return context.labels


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


def _evidence(x: Tensor, context: Context) -> Tensor:
    assert context.evidence is not None
    return context.evidence


def _received(x: Tensor, context: Context) -> Tensor:
    assert context.received is not None
    return context.received


GUIDES = {
    "spectral": _spectral,
    "labels": _labels,
    "gradient": _gradient,
    "features": _features,
    "activation": _activation,
    "evidence": _evidence,
    "received": _received,
}

WITHOUT_MODEL = ("spectral", "labels")
"""The guides computed from images or labels alone; the others need a pass through the model."""
