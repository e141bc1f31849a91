"""What entry points are made of: a mixer that draws with a function of `functional`, at its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from .arguments import layer_list, one_of
from .mixer import PLACES, Context, Mixer

Layers = int | str | tuple[int | str, ...]

# The input and the first two stages behind the stem, as in the Manifold mixup paper's networks for CIFAR.
FIRST_LAYERS = (0, "stage 1", "stage 2")

MAP_PLACES = ("input", "hidden")
"""Where there are images or feature maps, for masks and boxes."""


def make_mixer(
    name: str, mixing: F.mixing[...], place: str = "input", layers: Layers = FIRST_LAYERS, **arguments: Any
) -> Mixer:
    """A mixer that draws with a function of `functional`, these arguments and the step's generator."""
    sample = partial(sample_with, mixing, arguments)
    return Mixer(name, sample, one_of("place", place, PLACES), layer_list("layers", layers))


@contextmanager
def as_usage_error() -> Iterator[None]:
    """What a function of `functional` says that it cannot take is the user's mistake.

    Raises:
        UsageError: in place of a ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from None


def sample_with(mixing: F.mixing[...], arguments: dict[str, Any], x: Tensor, context: Context) -> Draw:
    """A draw for x.

    Raises:
        UsageError: the function cannot mix such tensors.
    """
    with as_usage_error():
        return mixing.draw(x, **arguments, generator=context.generator)
