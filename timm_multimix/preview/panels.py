"""One panel for each mixer of a spec: what is drawn in it, before any of it is drawn."""

from dataclasses import dataclass

from torch import Tensor

from timm_multimix.functional import Draw
from timm_multimix.mixers import Mixer
from timm_multimix.mixers.step import Branches
from timm_multimix.randomness import choice_generator

from .density import Density, densities
from .draws import Sample, effective_number, make_draw, make_sample, sorted_weights, tuple_weights
from .examples import Examples

_WHERE = {
    "input": "at the input",
    "hidden": "at a hidden layer; here drawn on the images",
    "embedding": "before the classifier: tuples sorted by their effective number of examples",
    "classifier": "before the classifier: tuples sorted by their effective number of examples",
    "positions": "at every position: tuples sorted by their effective number of examples",
    "features": "at the last features, where there is no picture of it",
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
    """A panel for each mixer, of `count` steps each.

    Raises:
        UsageError: a mixer needs a model that is not there, or does not take these pictures.
    """
    return [
        make_panel(weight, mixer, examples, count, seed) for weight, step in branches for mixer in step.mixers
    ]


def make_panel(share: float, mixer: Mixer, examples: Examples, count: int, seed: int) -> Panel:
    """The panel of one mixer."""
    title = f"{mixer.name}, {_WHERE[mixer.place]}" + (f" ({share:.0%} of the steps)" if share < 1 else "")
    samples, weights = [], []
    if mixer.place in ("embedding", "classifier", "positions"):
        weights = make_weights(mixer, examples, count, seed)
    elif mixer.place != "features":
        samples = [make_sample(mixer, examples, seed, step, count) for step in range(count)]
    arguments = ", ".join(f"{name} = {value}" for name, value in mixer.arguments.items())
    return Panel(title, arguments, samples, weights, densities(mixer, len(examples.pixels)))


def make_weights(mixer: Mixer, examples: Examples, count: int, seed: int) -> list[Weights]:
    """The weights of the first steps; of a dense mixer those of the first step at evenly spaced positions."""
    b = len(examples.pixels)
    first = tuple_weights(_draw(mixer, examples, seed, 0), b)
    if first.dim() == 2:
        others = (tuple_weights(_draw(mixer, examples, seed, step), b) for step in range(1, count))
        return [_weights(f"step {step}", drawn) for step, drawn in enumerate([first, *others], 1)]
    chosen = [place * len(first) // count for place in range(min(count, len(first)))]
    return [_weights(f"position {place + 1} of {len(first)}", first[place]) for place in chosen]


def _draw(mixer: Mixer, examples: Examples, seed: int, step: int) -> Draw:
    return make_draw(mixer.choose(choice_generator(seed, step)), examples, seed, step)


def _weights(title: str, drawn: Tensor) -> Weights:
    return Weights(title, sorted_weights(drawn), float(effective_number(drawn).mean()))
