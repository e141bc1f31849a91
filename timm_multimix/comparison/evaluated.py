"""What `timm-multimix evaluate` measured of the runs: numbers by name, over the seeds of an arm.

A number's name tells the settings it depends on, and each set of pictures has a table of its own: what was
measured in another way never stands in the same row.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..evaluation.sections import all_numbers
from ..records.evaluation_tables import Number, data_name, is_number
from .collect import Arm, Run
from .statistics import Spread, summarize


class Evaluated(NamedTuple):
    """The numbers measured on one set of pictures, for each arm over its seeds."""

    pictures: str
    arms: list[dict[str, Spread]]


def evaluated(run: Run) -> dict[str, float]:
    """The numbers in the evaluation of a run's weights; none without one, or with a damaged one."""
    return {number.name: float(number.value or 0) for number in _numbers(run)}


def _numbers(run: Run) -> list[Number]:
    try:
        found = all_numbers(run.evaluation) if run.evaluation and pictures(run) else []
        return [number for number in found if number.is_compared and is_number(number.value)]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return []


def lower_is_better(arms: Sequence[Arm]) -> list[str]:
    """The metrics measured of these runs of which low values are good."""
    found = (number.metric for arm in arms for run in arm.runs.values() for number in _numbers(run))
    return list(dict.fromkeys(metric.full_name for metric in found if metric.better == "lower"))


def pictures(run: Run) -> str | None:
    """The pictures that a run was evaluated on, in words; none where the evaluation does not tell."""
    try:
        data, (_, *sides) = run.evaluation["data"], run.evaluation["input_size"]  # type: ignore[index]
        size = " x ".join(map(str, sides))
        return f"{data['samples']} images of split {data['split']} of {data_name(data)}, {size} pixels"
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def summarize_evaluated(arms: Sequence[Arm]) -> list[Evaluated]:
    """For each set of pictures that runs were evaluated on, in their order, the numbers of each arm."""
    runs = [run for arm in arms for run in arm.runs.values() if evaluated(run)]
    found = dict.fromkeys(told for run in runs if (told := pictures(run)))
    return [Evaluated(told, [_over_seeds(arm, told) for arm in arms]) for told in found]


def _over_seeds(arm: Arm, told: str) -> dict[str, Spread]:
    found = [evaluated(run) for _, run in sorted(arm.runs.items()) if pictures(run) == told]
    names = dict.fromkeys(name for numbers in found for name in numbers)
    return {name: summarize([numbers[name] for numbers in found if name in numbers]) for name in names}
