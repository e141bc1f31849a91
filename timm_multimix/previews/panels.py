"""One panel for each mixer of a spec: what is drawn in it, before any of it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from torch import Tensor

from ..functional import Draw
from ..mixers import Mixer, Step
from ..mixers.step import Branches
from .density import Density, densities
from .draws import Sample, effective_number, make_draws, make_sample, pictured, sorted_weights, tuple_weights
from .examples import Examples

_WHERE = {
    "input": "at the input",
    "hidden": "at a hidden layer; here drawn on the images",
    "embedding": "before the classifier: tuples sorted by their effective number of examples",
    "classifier": "before the classifier: tuples sorted by their effective number of examples",
    "positions": "at every position: tuples sorted by their effective number of examples",
    "features": "at the last features, where there is no image of it",
}


@dataclass(frozen=True)
class Weights:
    """The drawn weights [n, b] of n tuples, sorted, their mean effective number, and which draw they are."""

    title: str
    weights: Tensor
    effective: float


@dataclass(frozen=True)
class Panel:
    """A mixer with its arguments: mixed examples, or weights of tuples, and densities of lambda."""

    title: str
    arguments: str
    samples: list[Sample]
    weights: list[Weights]
    densities: list[Density]


def make_panels(branches: Branches, examples: Examples, count: int, seed: int) -> list[Panel]:
    """A panel for each mixer of each step, also of sums and chains, of `count` steps each.

    Raises:
        UsageError: a mixer needs a model that is not there, or does not take these images.
    """
    return [panel for share, step in branches for panel in _panels_of(share, step, examples, count, seed)]


def _panels_of(share: float, step: Step, examples: Examples, count: int, seed: int) -> list[Panel]:
    drawn = pictured(step)
    # A step's mixers draw together: once for all of their panels, and no more than those show.
    draws = cache(partial(make_draws, drawn, examples, seed))
    made = {id(mixer): _drawn_by(place, draws) for place, mixer in enumerate(drawn.mixers)}
    return [make_panel(share, mixer, made.get(id(mixer)), examples, count) for mixer in step.mixers]


def _drawn_by(place: int, draws: Callable[[int], tuple[Draw, ...]]) -> Callable[[int], Draw]:
    return lambda number: draws(number)[place]


def make_panel(
    share: float, mixer: Mixer, draw: Callable[[int], Draw] | None, examples: Examples, count: int
) -> Panel:
    """The panel of one mixer, whose draw in a step `draw` gives by its number; None has no image."""
    title = f"{mixer.name}, {_WHERE[mixer.place]}" + (f" ({share:.0%} of the steps)" if share < 1 else "")
    samples, weights = [], []
    if draw is not None and mixer.place in ("embedding", "classifier", "positions"):
        weights = make_weights(draw, examples, count)
    elif draw is not None:
        samples = [make_sample(mixer, draw(step), examples, step, count) for step in range(count)]
    arguments = ", ".join(f"{name} = {value}" for name, value in mixer.arguments.items())
    return Panel(title, arguments, samples, weights, densities(mixer, len(examples.pixels)))


def make_weights(draw: Callable[[int], Draw], examples: Examples, count: int) -> list[Weights]:
    """The weights of the first steps; of a dense mixer those of the first step at evenly spaced positions."""
    b = len(examples.pixels)
    first = tuple_weights(draw(0), b)
    if first.dim() == 2:
        others = (tuple_weights(draw(step), b) for step in range(1, count))
        return [_weights(f"step {step}", drawn) for step, drawn in enumerate([first, *others], 1)]
    chosen = [place * len(first) // count for place in range(min(count, len(first)))]
    return [_weights(f"position {place + 1} of {len(first)}", first[place]) for place in chosen]


def _weights(title: str, drawn: Tensor) -> Weights:
    return Weights(title, sorted_weights(drawn), float(effective_number(drawn).mean()))
