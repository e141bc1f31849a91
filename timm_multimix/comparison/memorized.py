"""Memorization of the labels that `train --label-noise` replaced, as numbers of a comparison."""

from .collect import Arm, Run
from .statistics import Spread, summarize

COLUMNS = {
    "noisy_top1": "replaced labels memorized, %",
    "noisy_true_top1": "true labels of these, %",
    "clean_top1": "other labels, %",
    "noisy_loss": "loss of replaced",
    "clean_loss": "loss of others",
}
"""Keys of `label_noise` in summary.json, and column titles. They are measured after the last epoch on the
training images, without mixing or augmentation."""


def memorized(run: Run) -> dict[str, float]:
    """Return the `COLUMNS` of a run; empty without --label-noise."""
    found = run.summary.get("label_noise")
    found = found if isinstance(found, dict) else {}
    return {name: float(found[name]) for name in COLUMNS if isinstance(found.get(name), int | float)}


def summarize_memorized(arm: Arm) -> dict[str, Spread]:
    """Summarize the `COLUMNS` over the seeds of an arm; empty if no run had labels replaced."""
    found = [memorized(run) for _, run in sorted(arm.runs.items())]
    values = {name: [numbers[name] for numbers in found if name in numbers] for name in COLUMNS}
    return {name: summarize(numbers) for name, numbers in values.items() if numbers}
