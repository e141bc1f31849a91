"""What `timm-multimix evaluate` measured of the runs: numbers by name, over the seeds of an arm.

A number's name tells the settings it depends on, and each set of pictures has a table of its own: what was
measured in another way never stands in the same row.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..records.evaluation_tables import Evaluation, attack_name, budget, data_name
from .collect import Arm, Run
from .statistics import Spread, summarize


class Evaluated(NamedTuple):
    """The numbers measured on one set of pictures, for each arm over its seeds."""

    pictures: str
    arms: list[dict[str, Spread]]


def evaluated(run: Run) -> dict[str, float]:
    """The numbers in the evaluation of a run's weights; none without one, or with a damaged one."""
    try:
        found = dict(_numbers(run.evaluation)) if run.evaluation and pictures(run) else {}
        return {name: float(value) for name, value in found.items() if _is_number(value)}
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return {}


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(record: Evaluation) -> Iterator[tuple[str, Any]]:
    """The numbers of an evaluation by what they are and how they were measured; those in per cent say so."""
    if calibration := record.get("calibration"):
        yield "negative log likelihood", calibration["nll"]
        yield f"expected calibration error, {calibration['bins']} bins", calibration["ece"]
    if embedding := record.get("embedding"):
        yield "alignment (same class)", embedding["alignment"]
        yield "uniformity (all pairs)", embedding["uniformity"]
        yield "variance within / between classes", embedding["class_spread"]["ratio"]
    if attacks := record.get("attacks"):
        for method, values in attacks["white_box"].items():
            name = attack_name(method, attacks["steps"])
            for epsilon, top1 in zip(attacks["epsilons"], values, strict=True):
                yield f"top-1 under {name}, \u03b5 = {budget(epsilon)}, {attacks['samples']} images, %", top1
    unknown = record.get("ood") or []
    names = [f"{data_name(data)}, {data['samples']} images" for data in unknown]
    for number, (name, data) in enumerate(zip(names, unknown, strict=True)):
        if name in names[:number]:
            name += f", no. {number + 1}"
        for score, row in data["scores"].items():
            yield f"AUROC against {name}, {score.replace('_', ' ')}, %", row["auroc"]
    if corruptions := record.get("corruptions"):
        yield "top-1 under corruptions, mean, %", corruptions["mean_top1"]
