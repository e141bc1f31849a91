"""Detection of a finished run whose model does no better than guessing, with advice."""

from math import sqrt

import numpy as np

from ..options.optimization import OptimizationOptions
from .defaults import ADAPTIVE_RATE, SGD_RATE, default_rate

FEWEST_IMAGES = 100
"""Least number of evaluated images that can show that a model is at chance."""


def share_of_largest_class(labels: object, classes: int) -> float:
    """Return the accuracy, from 0 to 1, of always answering the most frequent class.

    Args:
        labels: the class numbers [n] of the evaluation images; None for a stream, assumed to be balanced.
        classes: number of classes.
    """
    numbers = np.asarray([] if labels is None else labels)
    if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iu":
        return 1 / classes
    return float(np.bincount(numbers).max() / len(numbers))


def is_at_chance(top1: float, samples: int, share: float) -> bool:
    """Return whether an accuracy in per cent is within two standard errors of `share`, or below it."""
    if samples < FEWEST_IMAGES or share == 1:
        return False
    return top1 / 100 <= share + 2 * sqrt(share * (1 - share) / samples)


def what_to_try(top1: float, share: float, optimization: OptimizationOptions) -> str:
    """Return a line of advice for a model at chance."""
    opt, lr = optimization.chosen
    other = f"--opt adamw --lr {ADAPTIVE_RATE:g}" if default_rate(opt) == SGD_RATE else f"--lr {lr / 10:g}"
    return (
        f"top-1 {top1:.2f} % is within chance of always answering the most frequent class "
        f"({100 * share:.2f} %); try {other}, a longer --warmup-epochs or more --epochs"
    )
