"""Results of `timm-multimix evaluate` in a comparison: mean and std of each number over an arm's seeds.

A number's name includes the settings it depends on, and each set of images, prepared in one way, has its own
table, so that numbers measured differently are never in the same row.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..evaluation.sections import all_numbers
from ..records.evaluation_tables import Number, is_number
from ..records.evaluations import Evaluation
from .collect import Arm, Run
from .condition_names import Names, key_of, name_conditions, pictures
from .statistics import Spread, summarize


class Evaluated(NamedTuple):
    """The numbers measured on one set of images, for each arm over its seeds."""

    pictures: str
    arms: list[dict[str, Spread]]


def evaluated(run: Run, names: Names | None = None) -> dict[str, dict[str, float]]:
    """Return the numbers that `evaluate` measured for a run's weights, by what they were measured on.

    Damaged evaluations are left out.

    Args:
        run: the run.
        names: of its evaluations' conditions, among those of others; by default among its own.
    """
    found: dict[str, dict[str, float]] = {}
    names = name_conditions(run.evaluations) if names is None else names
    for evaluation in run.evaluations:
        if numbers := _numbers(evaluation):
            told = names[key_of(evaluation)]
            found.setdefault(told, {}).update({number.name: float(number.value or 0) for number in numbers})
    return found


def evaluated_by_arm(arms: Sequence[Arm]) -> list[dict[int, dict[str, dict[str, float]]]]:
    """Return `evaluated` of each arm's runs, by seed, with names that tell all conditions apart."""
    names = name_conditions([item for arm in arms for run in arm.runs.values() for item in run.evaluations])
    return [{seed: evaluated(run, names) for seed, run in sorted(arm.runs.items())} for arm in arms]


def _numbers(evaluation: Evaluation) -> list[Number]:
    try:
        found = all_numbers(evaluation) if pictures(evaluation) else []
        return [number for number in found if number.is_compared and is_number(number.value)]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return []


def lower_is_better(arms: Sequence[Arm]) -> list[str]:
    """Return the metrics of these runs for which lower is better."""
    evaluations = [item for arm in arms for run in arm.runs.values() for item in run.evaluations]
    metrics = (number.metric for evaluation in evaluations for number in _numbers(evaluation))
    return list(dict.fromkeys(metric.full_name for metric in metrics if metric.better == "lower"))


def summarize_evaluated(arms: Sequence[Arm]) -> list[Evaluated]:
    """Summarize the numbers of each arm over its seeds, for each set of images, in the order of the runs."""
    measured = evaluated_by_arm(arms)
    found = dict.fromkeys(told for runs in measured for numbers in runs.values() for told in numbers)
    return [Evaluated(told, [_over_seeds(list(runs.values()), told) for runs in measured]) for told in found]


def _over_seeds(runs: Sequence[dict[str, dict[str, float]]], told: str) -> dict[str, Spread]:
    found = [run.get(told, {}) for run in runs]
    names = dict.fromkeys(name for numbers in found for name in numbers)
    return {name: summarize([numbers[name] for numbers in found if name in numbers]) for name in names}
