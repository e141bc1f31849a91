"""Drawing: apply a function to a batch, with its arguments, the step's generator and a guide.

A guide is a tensor of the images or of a model's passes over them, such as saliency or attention.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from ..functional.partners import find_bandwidth
from .arguments import as_usage_error
from .mixer import Context


def draw_with(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    x: Tensor,
    context: Context,
    guide: str | None = None,
) -> Draw:
    """Return the draw of a function for x.

    Args:
        function: one that draws.
        arguments: its arguments by name.
        x: the tensor to mix.
        context: the step's generator, labels and guides.
        guide: the source of the function's second parameter, one of `GUIDES`; None: it is not guided.

    Raises:
        UsageError: the function cannot mix such tensors.
    """
    with as_usage_error():
        arguments = _with_partners(arguments, x, context)
        guides = () if guide is None else (GUIDES[guide](x, context),)
        drawn = draw_of(function)(x, *guides, **arguments, generator=context.generator)
    if not isinstance(drawn, Draw):
        name = getattr(function, "__name__", type(function).__name__)
        raise UsageError(
            f"mixer {name} must return a Draw, such as functional.mixup.draw(x), got {type(drawn).__name__}"
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


def _computed(guide: Tensor | None) -> Tensor:
    """Return a guide, which the place of mixing computes for mixers that need it."""
    assert guide is not None
    return guide


GUIDES: dict[str, Callable[[Tensor, Context], Tensor]] = {
    "spectral": lambda x, context: F.spectral_residual(x),
    "labels": _labels,
    "gradient": lambda x, context: F.gradient_saliency(_computed(context.gradient)),
    "features": lambda x, context: F.feature_attention(_computed(context.features)),
    "activation": lambda x, context: _computed(context.activation),
    "evidence": lambda x, context: _computed(context.evidence),
    "received": lambda x, context: _computed(context.received),
}

WITHOUT_MODEL = ("spectral", "labels")
"""The guides computed from images or labels alone; the others need a pass through the model."""
