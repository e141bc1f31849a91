"""The comparison as plain numbers: a row for each arm, and caveats."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..records.metrics import Metric
from ..records.publication import public_options
from .arm_names import shared_options
from .caveats import make_caveats
from .collect import Arm, Run
from .evaluated import evaluated_by_arm
from .memorized import memorized
from .statistics import Difference, Spread, compare_paired, summarize


@dataclass(frozen=True)
class Row:
    """An arm in numbers: its results in the unit of the comparison's metric, memory in bytes."""

    label: str
    mix: str
    seeds: list[int]
    last: Spread
    best: Spread
    difference: Difference | None  # None for the baseline, and without a common seed
    is_baseline: bool
    images_per_second: Spread | None
    speed: float | None  # relative to the baseline
    memory: Spread | None


@dataclass(frozen=True)
class Comparison:
    """The numbers, options and caveats of a comparison, from which its pages are made."""

    title: str
    metric: Metric
    rows: list[Row]
    arms: list[Arm]
    baseline: Arm
    shared: dict[str, Any]
    facts: dict[str, Any]
    caveats: list[str]
    command: str | None
    comparisons: int = 1


def compare(
    arms: Sequence[Arm],
    baseline: Arm,
    missing: Sequence[str] = (),
    command: str | None = None,
    comparisons: int = 1,
) -> Comparison:
    """Compare arms with a baseline, which comes first; `missing` names the runs that are not finished."""
    arms = [baseline, *(arm for arm in arms if arm is not baseline)]
    rows = [make_row(arm, baseline, comparisons) for arm in arms]
    runs = [run for arm in arms for run in arm.runs.values()]
    facts = runs[0].summary
    return Comparison(
        title=" and ".join(dict.fromkeys(str(run.summary["model"]) for run in runs)),
        metric=runs[0].metric,
        rows=rows,
        arms=arms,
        baseline=baseline,
        shared=public_options(shared_options([run.options for run in runs]), runs[0].record.dataset_kind),
        facts={name: facts.get(name) for name in FACTS},
        caveats=make_caveats(rows, runs, baseline, missing, comparisons),
        command=command,
        comparisons=comparisons,
    )


FACTS = (
    "evaluation_split",
    "samples_evaluated",
    "train_split",
    "train_samples",
    "classes",
    "epochs",
    "hardware",
)
"""Facts that all runs of a comparison share; a caveat reports different hardware."""


RUN_FACTS = (
    "best_epoch",
    "images_per_second",
    "train_seconds",
    "peak_memory_bytes",
    "versions",
)


def make_row(arm: Arm, baseline: Arm, comparisons: int = 1) -> Row:
    """Summarize an arm over its seeds, with its paired difference to the baseline."""
    difference = None if arm is baseline else compare_paired(arm.results, baseline.results, comparisons)
    speed, usual = _spread(arm, "images_per_second"), _spread(baseline, "images_per_second")
    return Row(
        label=arm.label,
        mix=arm.mix,
        seeds=sorted(arm.runs),
        last=summarize(list(arm.results.values())),
        best=summarize(list(arm.best_results.values())),
        difference=difference,
        is_baseline=arm is baseline,
        images_per_second=speed,
        speed=speed.mean / usual.mean if speed and usual and usual.mean else None,
        memory=_spread(arm, "peak_memory_bytes"),
    )


def _spread(arm: Arm, name: str) -> Spread | None:
    values = list(arm.values(name).values())
    return summarize(values) if values else None


def as_record(comparison: Comparison) -> dict[str, Any]:
    """Return the content of comparison.json."""
    runs = [
        {"arm": arm.label, "seed": seed, **run_record(arm.runs[seed], numbers)}
        for arm, measured in zip(comparison.arms, evaluated_by_arm(comparison.arms), strict=True)
        for seed, numbers in measured.items()
    ]
    return {
        "title": comparison.title,
        "command": comparison.command,
        "baseline": comparison.baseline.label,
        "spread": "sample standard deviation over seeds",
        "difference": f"mean of paired differences of last-epoch {comparison.metric.label}, "
        f"95 % interval by Student's t{_correction(comparison)}",
        "facts": comparison.facts,
        "shared_options": comparison.shared,
        "rows": [asdict(row) for row in comparison.rows],
        "notes": comparison.caveats,
        "runs": runs,
    }


def _correction(comparison: Comparison) -> str:
    count = comparison.comparisons
    return f", corrected for {count} comparisons (Bonferroni)" if count > 1 else ""


def run_record(run: Run, measured: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the numbers of one run for comparison.json; `measured` are those of its evaluations."""
    names = (run.record.metric, f"{run.record.metric}_best", *RUN_FACTS)
    facts = {name: run.summary.get(name) for name in names}
    more = {"memorised": memorized(run), "evaluated": measured}
    return {"run": run.directory.name, **facts} | {name: numbers for name, numbers in more.items() if numbers}
