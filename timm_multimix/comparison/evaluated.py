"""Results of `timm-multimix evaluate` in a comparison: mean and std of each number over an arm's seeds.

A number's name includes the settings it depends on, and each set of images has its own table, so that numbers
measured differently are never in the same row.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..evaluation.sections import all_numbers
from ..records.evaluation_tables import Number, data_name, is_number
from ..records.evaluations import Evaluation
from .collect import Arm, Run
from .statistics import Spread, summarize


class Evaluated(NamedTuple):
    """The numbers measured on one set of images, for each arm over its seeds."""

    pictures: str
    arms: list[dict[str, Spread]]


def evaluated(run: Run) -> dict[str, dict[str, float]]:
    """Return the numbers that `evaluate` measured for a run's weights, by the images they were measured on.

    Damaged evaluations are left out.
    """
    found: dict[str, dict[str, float]] = {}
    for evaluation in run.evaluations:
        if numbers := _numbers(evaluation):
            told = str(pictures(evaluation))
            found.setdefault(told, {}).update({number.name: float(number.value or 0) for number in numbers})
    return found


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


def pictures(evaluation: Evaluation) -> str | None:
    """Return the images that a model was evaluated on, in words; None if the record does not have them."""
    try:
        data, (_, *sides) = evaluation["data"], evaluation["input_size"]
        size = " x ".join(map(str, sides))
        told = f"{data['samples']} images of split {data['split']} of {data_name(data)}, {size} pixels"
        return f"{told}; {data['classes']}" if data.get("classes") else told
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def summarize_evaluated(arms: Sequence[Arm]) -> list[Evaluated]:
    """Summarize the numbers of each arm over its seeds, for each set of images, in the order of the runs."""
    found = dict.fromkeys(told for arm in arms for run in arm.runs.values() for told in evaluated(run))
    return [Evaluated(told, [_over_seeds(arm, told) for arm in arms]) for told in found]


def _over_seeds(arm: Arm, told: str) -> dict[str, Spread]:
    found = [evaluated(run).get(told, {}) for _, run in sorted(arm.runs.items())]
    names = dict.fromkeys(name for numbers in found for name in numbers)
    return {name: summarize([numbers[name] for numbers in found if name in numbers]) for name in names}
