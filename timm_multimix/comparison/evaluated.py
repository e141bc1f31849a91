"""What `timm-multimix evaluate` measured of the runs: numbers by name, over the seeds of an arm."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from timm_multimix.hub.measures import Evaluation, budget, short_name

from .collect import Arm, Run
from .statistics import Spread, summarize


def evaluated(run: Run) -> dict[str, float]:
    """The numbers in the evaluation of a run's weights; none without one, or with a damaged one."""
    try:
        found = dict(_numbers(run.evaluation)) if run.evaluation and evaluation_data(run) else {}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return {name: float(value) for name, value in found.items() if _is_number(value)}


def evaluation_data(run: Run) -> str | None:
    """The pictures that a run was evaluated on, in words."""
    data = run.evaluation.get("data") if run.evaluation else None
    if not isinstance(data, dict) or not {"dataset", "split", "samples"} <= data.keys():
        return None
    return f"{data['samples']} images of split {data['split']} of {short_name(str(data['dataset']))}"


def summarize_evaluated(arms: Sequence[Arm]) -> tuple[str | None, list[dict[str, Spread]]]:
    """On which pictures the first run was evaluated, and for each arm its numbers on these over the seeds."""
    runs = [run for arm in arms for run in arm.runs.values() if evaluated(run)]
    data = next((evaluation_data(run) for run in runs), None)
    return data, [_over_seeds(arm, data) for arm in arms]


def _over_seeds(arm: Arm, data: str | None) -> dict[str, Spread]:
    found = [evaluated(run) for _, run in sorted(arm.runs.items()) if evaluation_data(run) == data]
    names = dict.fromkeys(name for numbers in found for name in numbers)
    return {name: summarize([numbers[name] for numbers in found if name in numbers]) for name in names}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(record: Evaluation) -> Iterator[tuple[str, Any]]:
    """The numbers of an evaluation by what they are, those in per cent marked so."""
    yield "negative log likelihood", record["calibration"]["nll"]
    yield "expected calibration error", record["calibration"]["ece"]
    if embedding := record.get("embedding"):
        yield "alignment (same class)", embedding["alignment"]
        yield "uniformity (all pairs)", embedding["uniformity"]
        yield "variance within / between classes", embedding["class_spread"]["ratio"]
    if attacks := record.get("attacks"):
        for method, values in attacks["white_box"].items():
            for epsilon, top1 in zip(attacks["epsilons"], values, strict=True):
                yield f"top-1 under {method}, \u03b5 = {budget(epsilon)}, %", top1
    for data in record.get("ood") or []:
        for score, row in data["scores"].items():
            yield f"AUROC against {short_name(data['dataset'])}, {score.replace('_', ' ')}, %", row["auroc"]
    if corruptions := record.get("corruptions"):
        yield "top-1 under corruptions, mean, %", corruptions["mean_top1"]
