"""The content of a preview: a panel for each mixer of a spec."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from ..functional import Draw
from ..mixers import Mixer, Step
from ..mixers.places import PLACES
from ..mixers.step import Branches
from .density import Density, densities
from .draws import Sample, make_draws, make_sample, pictured
from .examples import Examples
from .tuples import Tuples, make_tuples


@dataclass(frozen=True)
class Panel:
    """A mixer with its arguments: mixed examples, or tuples, and densities of lambda."""

    title: str
    arguments: str
    samples: list[Sample]
    tuples: Tuples | None
    densities: list[Density]


def make_panels(branches: Branches, examples: Examples, count: int, seed: int) -> list[Panel]:
    """Return a panel for each mixer of each step, also of sums and chains, over `count` training steps.

    Raises:
        UsageError: a mixer needs a model that is not there, or does not take these images.
    """
    return [panel for share, step in branches for panel in _panels_of(share, step, examples, count, seed)]


def _panels_of(share: float, step: Step, examples: Examples, count: int, seed: int) -> list[Panel]:
    drawn = pictured(step)
    # The mixers of a step draw together, so each draw is made once and shared by their panels.
    draws = cache(partial(make_draws, drawn, examples, seed))
    made = {id(mixer): _drawn_by(place, draws) for place, mixer in enumerate(drawn.mixers)}
    return [make_panel(share, mixer, made.get(id(mixer)), examples, count) for mixer in step.mixers]


def _drawn_by(place: int, draws: Callable[[int], tuple[Draw, ...]]) -> Callable[[int], Draw]:
    return lambda number: draws(number)[place]


def make_panel(
    share: float, mixer: Mixer, draw: Callable[[int], Draw] | None, examples: Examples, count: int
) -> Panel:
    """Return the panel of a mixer; `draw` returns its draw in a step, and is None if it cannot be drawn."""
    place, part = PLACES[mixer.place], f" ({share:.0%} of the steps)" if share < 1 else ""
    title = f"{mixer.name}, {place.pictured or place.where}{part}"
    samples, tuples = list[Sample](), None
    if draw is not None and place.shown == "tuples":
        tuples = make_tuples(draw(0), examples, count)
    elif draw is not None:
        samples = [make_sample(mixer, draw(step), examples, step, count) for step in range(count)]
    arguments = ", ".join(f"{name} = {value}" for name, value in mixer.arguments.items())
    return Panel(title, arguments, samples, tuples, densities(mixer, len(examples.pixels)))
