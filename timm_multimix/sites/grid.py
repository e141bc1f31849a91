"""The last features of a timm model as a map, for all memory layouts."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..errors import UsageError
from .layout import Layout, find_layout
from .positions import features_with_positions
from .probe import tensors


class Grid(NamedTuple):
    """The layout of features, and the height and width of the map of their positions."""

    layout: Layout
    height: int
    width: int

    def as_map(self, positions: Tensor) -> Tensor:
        """Reshape one value or embedding a position, [r, b] or [r, b, d], to [b, h, w] or [b, d, h, w]."""
        return positions.movedim(0, -1).unflatten(-1, (self.height, self.width))


def last_features(model: nn.Module, images: Tensor, features: Callable[[Tensor], Any] | None = None) -> Any:
    """Return the input of the model's head, with all positions, by forward_features or its replacement.

    Raises:
        UsageError: the model is not one of timm's.
    """
    if not (hasattr(model, "forward_features") and hasattr(model, "forward_head")):
        name = type(model).__name__
        raise UsageError(f"the model must be a timm classifier with forward_features, got a {name}")
    return features_with_positions(model, images, features)


def quiet_layout(model: nn.Module, features: Any) -> Layout:
    """Features' layout, without the warning that a single position means nothing to dense mixing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find_layout(model, features)


def find_grid(model: nn.Module, features: Any, images: Tensor) -> Grid:
    """Return the grid of the features that the model's forward_features returned for images [b, ch, h, w].

    Raises:
        UsageError: the features are not a map of two or more positions.
    """
    layout = quiet_layout(model, features)
    if layout.channels == 0:
        raise _no_map(model, images)
    last = tensors(features)[-1]
    if last.dim() == 4:
        sides = [size for dim, size in enumerate(last.shape) if dim not in (0, layout.channels)]
        return Grid(layout, sides[0], sides[1])
    return sequence_grid(model, len(layout.positions(features)), images)._replace(layout=layout)


def sequence_grid(model: nn.Module, positions: int, images: Tensor) -> Grid:
    """Return the grid of a sequence of positions, with the aspect ratio of the images [b, ch, h, w].

    Raises:
        UsageError: there are fewer than two, or they do not fill such a grid.
    """
    height, width = images.shape[-2:]
    rows = max(1, round((positions * height / width) ** 0.5))
    if positions < 2 or rows * (positions // rows) != positions:
        raise _no_map(model, images)
    return Grid(Layout(), rows, positions // rows)


def _no_map(model: nn.Module, images: Tensor) -> UsageError:
    size = " x ".join(str(side) for side in images.shape[-2:])
    return UsageError(
        f"{type(model).__name__} has no map of positions before its head for images of {size}; mixers that "
        "are guided by one need larger images or another model; those guided by attention, a transformer"
    )
