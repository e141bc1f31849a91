"""The tuples of a step: their weights, and their positions in a plane of the examples."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import Draw
from .draws import effective_number, tuple_weights
from .examples import Examples

_MOST_SHOWN = 3


@dataclass(frozen=True)
class Tuples:
    """The tuples of one step, or at one position of it.

    title: which they are; weights [n, b]: of the b examples in the n tuples, those of the fewest effective
    examples first; shown: numbers of the tuples whose labels are drawn; examples [b, 2] and points [n, 2]:
    where the examples and their mixes lie in the plane; plane: what that is the plane of.
    """

    title: str
    weights: Tensor
    shown: list[int]
    examples: Tensor
    points: Tensor
    plane: str

    @property
    def effective(self) -> Tensor:
        """The effective number [n] of examples in each tuple."""
        return effective_number(self.weights)


def make_tuples(draw: Draw, examples: Examples, count: int) -> Tuples:
    """Return the tuples of a draw, for dense mixing those at the middle position.

    At most `count` of them, and at most three, are selected to show their labels.
    """
    drawn, title = tuple_weights(draw, len(examples.pixels)), "step 1"
    if drawn.dim() == 3:
        middle = len(drawn) // 2
        drawn, title = drawn[middle], f"step 1, position {middle + 1} of {len(drawn)}"
    drawn = drawn[effective_number(drawn).argsort()]
    features, plane = find_features(examples)
    spots = project(features)
    return Tuples(title, drawn, spread(len(drawn), min(count, _MOST_SHOWN)), spots, drawn @ spots, plane)


def spread(n: int, count: int) -> list[int]:
    """Return up to `count` of the numbers below n, evenly spaced from first to last; for one, the middle."""
    if count == 1:
        return [n // 2]
    return sorted({round(place * (n - 1) / (count - 1)) for place in range(count)})


@torch.no_grad()
def find_features(examples: Examples) -> tuple[Tensor, str]:
    """Return features [b, d] before the model's classifier, or without a model the pixels; and their name."""
    if examples.model is not None:
        logits, embedding = examples.model.embed(examples.pixels)
        return (logits, "logits") if embedding is None else (embedding, "embedding")
    return examples.pixels.flatten(1), "pixels"


def project(features: Tensor) -> Tensor:
    """Project features [b, d] to the plane [b, 2] of their first two principal components.

    The projection is linear, so a mix of examples is the same mix of their positions.
    """
    centred = features.double() - features.double().mean(0)
    left, scale, _ = torch.linalg.svd(centred, full_matrices=False)
    plane = left[:, :2] * scale[:2]
    return torch.nn.functional.pad(plane, (0, 2 - plane.shape[1])).float()
