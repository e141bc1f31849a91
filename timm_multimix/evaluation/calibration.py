"""Calibration: likelihood, Brier score, expected calibration error, temperature scaling."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .accuracy import as_targets

BINS = 15
_WIDEST, _HALVINGS = 6.0, 45
"""Bisections of the interval from exp(-6) to exp(6) in the search for a temperature."""


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Mean of -log p(label) in nats, of logits [n, c]."""
    return F.cross_entropy(logits.double(), labels).item()


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Mean squared distance of the probabilities [c] from the one-hot label, 0 to 2 (Brier 1950)."""
    probabilities = logits.double().softmax(1)
    return (probabilities - as_targets(labels, logits.shape[1])).square().sum(1).mean().item()


def calibration_error(logits: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error, 0 to 1: the mean distance of accuracy from confidence over equal bins.

    sum_k n_k / n |accuracy_k - confidence_k|, bin k holding confidences in (k / bins, (k + 1) / bins]
    (Guo et al. 2017, arXiv:1706.04599, equation 3).
    """
    confidence, guesses = logits.double().softmax(1).max(1)
    places = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = (guesses == labels).double() - confidence
    sums = torch.zeros(bins, dtype=torch.float64).index_add(0, places, gaps)
    return sums.abs().sum().item() / len(labels)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the T > 0 that maximises the likelihood of softmax(logits / T) (arXiv:1706.04599, section 4.2).

    The likelihood is concave in 1 / T, so bisection of log T by the sign of its slope finds the maximum. If
    the label is always (or never) the largest logit there is none: T is then an end of the interval. If all
    logits are equal, every T is equally likely: T is 1.
    """
    logits = logits.double()
    if (logits == logits[:, :1]).all():
        return 1.0
    truth = logits.gather(1, labels[:, None]).mean().item()
    low, high = -_WIDEST, _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = ((logits / math.exp(middle)).softmax(1) * logits).sum(1).mean().item()
        # if labels have larger logits than predicted on average, sharper predictions are likelier
        low, high = (low, middle) if expected <= truth else (middle, high)
    return math.exp((low + high) / 2)


def measure(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return likelihood, calibration error and Brier score."""
    return {
        "nll": negative_log_likelihood(logits, labels),
        "ece": calibration_error(logits, labels),
        "brier": brier_score(logits, labels),
    }


def summarize_calibration(logits: Tensor, labels: Tensor) -> dict[str, object]:
    """Return `measure` for the whole split, and for one half with temperature scaling fitted on the other.

    The halves are fixed: the first, third, fifth ... image fit, the second, fourth, sixth ... measure.
    """
    result: dict[str, object] = {**measure(logits, labels), "bins": BINS}
    if len(labels) < 2:
        return result
    fit, held_out = (slice(start, None, 2) for start in (0, 1))
    temperature = fit_temperature(logits[fit], labels[fit])
    return result | {
        "temperature_scaling": {
            "temperature": temperature,
            "fitted_on": f"every second image from the first, {len(labels[fit])}",
            "measured_on": f"the other {len(labels[held_out])} images",
            "before": measure(logits[held_out], labels[held_out]),
            "after": measure(logits[held_out].double() / temperature, labels[held_out]),
        }
    }
