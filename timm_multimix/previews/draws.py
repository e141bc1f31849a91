"""Draws of a preview, and the weights of the examples in them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional import Draw
from ..mixers import Mixer, Step, Term
from ..mixers.places import PLACES
from ..randomness import choice_generator, draw_generator
from ..sites.student import Student
from .examples import Examples

_LEAST = 1e-6


@dataclass(frozen=True)
class Sample:
    """One mixed example.

    image [ch, h, w]: the mix; sources: numbers of the two examples with the largest weights, or of the only
    one, the example of this row first; share [h, w]: the weight of the first at every pixel; weights [b]: of
    all examples in the mix, averaged over pixels; target [b]: of their labels.
    """

    image: Tensor
    sources: tuple[int, ...]
    share: Tensor
    weights: Tensor
    target: Tensor

    @property
    def masked(self) -> bool:
        """Whether the weight differs between pixels."""
        return bool(self.share.max() - self.share.min() > 1e-4)


def needs_model(mixer: Mixer) -> bool:
    """Return whether the mixer needs a model to draw."""
    return mixer.guided or mixer.place == "positions"


def pictured(step: Step) -> Step:
    """Return the step without mixers at places that cannot be drawn as images."""
    chains = ((each for each in term.chain if PLACES[each.place].shown != "nothing") for term in step.terms)
    return Step(tuple(Term(tuple(chain)) for chain in chains))


def make_draws(step: Step, examples: Examples, seed: int, number: int) -> tuple[Draw, ...]:
    """Return the draw of each of `step.mixers`, as in training with these examples in step `number`.

    Raises:
        UsageError: a mixer needs a model and there is none, or it does not work with this one.
    """
    asking = [mixer.name for mixer in step.mixers if needs_model(mixer)]
    if asking and examples.model is None:
        raise UsageError(f"{asking[0]} is guided by a model; give one with --model")
    images = examples.inputs
    student = Student(nn.Identity() if examples.model is None else examples.model.model, ())
    chosen = step.choose(choice_generator(seed, number))
    labels = examples.labels if examples.model is None else examples.model_labels
    return student.draws(images, chosen, draw_generator(seed, number, images.device), labels)


def make_sample(mixer: Mixer, draw: Draw, examples: Examples, step: int, of: int) -> Sample:
    """Return a row of a step's draw; over the first `of` steps, rows are evenly spaced in the batch."""
    target = draw.targets(torch.eye(len(examples.pixels)))
    row = step * len(target) // of
    shares = pixel_weights(draw, examples.pixels, row)
    weights = shares.mean((1, 2))
    sources = most_in(weights, row % len(weights), mixer.row_per_example)
    return Sample(draw(examples.pixels)[row], sources, shares[sources[0]], weights, target[row])


def most_in(weights: Tensor, own: int, own_first: bool) -> tuple[int, ...]:
    """Return the one or two examples with the largest weights; with `own_first` the first is always `own`."""
    order = weights.argsort(descending=True, stable=True).tolist()
    if own_first or own in order[:2]:
        order.sort(key=lambda number: number != own)
    return (order[0], *(number for number in order[1:2] if weights[number] > _LEAST))


def pixel_weights(draw: Draw, pixels: Tensor, row: int) -> Tensor:
    """Return the weight [b, h, w] of every example at every pixel of a row of the mix.

    A draw is linear in the images, so the weight of an example is the mix of images that are 1 for it and 0
    for all others. This works for any draw that interpolates, cuts or moves, without knowing how it is made.
    """
    weights = []
    for number in range(len(pixels)):
        alone = torch.zeros_like(pixels)
        alone[number] = 1
        weights.append(draw(alone)[row].mean(0))
    return torch.stack(weights)


def tuple_weights(draw: Draw, b: int) -> Tensor:
    """Return the weights [n, b] of b examples in every row of a draw; dense, [r, n, b]."""
    return draw.targets(torch.eye(b))


def effective_number(weights: Tensor) -> Tensor:
    """Return the effective number of examples, 1 / sum w^2, of weights [..., b]: k for k equal ones."""
    return 1 / weights.square().sum(-1)
