"""Mixing the last features of a timm model, right before its head."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional import Draw
from .grid import last_features, quiet_layout
from .layout import Layout
from .probe import Features, tensors


def mix_features(
    model: nn.Module,
    images: Tensor,
    sample: Callable[[Tensor], Draw],
    *,
    features: Callable[[Tensor], Any] | None = None,
    head: Callable[[Any], Any] | None = None,
) -> tuple[Any, Draw]:
    """Head's output for mixed features, and the draw, made for the positions' embeddings [b, r, d].

    Features without a position, such as a class token or those of another branch, are mixed as the targets
    are. `features` and `head` replace the model's forward_features and forward_head.

    Raises:
        UsageError: the model is not one of timm's.
    """
    plain: Any = model
    maps = last_features(plain, images, features)
    if not tensors(maps):
        raise UsageError(f"forward_features must return tensors to mix them, got a {type(model).__name__}")
    layout = quiet_layout(plain, maps)
    draw = sample(_embeddings(layout, maps))
    return (head or plain.forward_head)(_mixed(layout, maps, draw)), draw


def _embeddings(layout: Layout, maps: Features) -> Tensor:
    """Return positions [b, r, d]; if no positions are known, all of the last tensor as one."""
    if layout.channels:
        return layout.positions(maps).transpose(0, 1)
    return tensors(maps)[-1].flatten(1).unsqueeze(1)


def _mixed(layout: Layout, maps: Features, draw: Draw) -> Features:
    *others, last = tensors(maps)
    mixed = _mixed_positions(layout, last, draw) if layout.channels else _as_targets(last, draw)
    return mixed if isinstance(maps, Tensor) else [*(_as_targets(other, draw) for other in others), mixed]


def _as_targets(features: Tensor, draw: Draw) -> Tensor:
    # As vectors: a draw of features takes no maps of labels, which four dimensions are read as.
    return draw.targets(features.flatten(1)).unflatten(1, features.shape[1:])


def _mixed_positions(layout: Layout, last: Tensor, draw: Draw) -> Tensor:
    tokens = last.movedim(layout.channels, -1)
    sequence = tokens.flatten(1, -2)
    prefix, positions = sequence[:, : layout.prefix], draw(sequence[:, layout.prefix :])
    if layout.prefix:
        positions = torch.cat([draw.targets(prefix).to(positions.dtype), positions], dim=1)
    return positions.view(tokens.shape).movedim(-1, layout.channels)
