"""Format the numbers of a comparison as text, for the Markdown and the HTML page."""

import re
from pathlib import Path
from typing import Any

from ..options import TrainOptions
from ..options.relations import names_of
from ..records.metrics import Metric
from .collect import Arm, Run, default_options
from .evaluated import summarize_evaluated
from .memorized import COLUMNS, summarize_memorized
from .statistics import Difference, Spread
from .table import Comparison, Row


def header(metric: Metric) -> list[str]:
    """Return the column titles of `cells`."""
    return [
        "arm",
        "seeds",
        _of_epoch(metric, "last"),
        "spread",
        _of_epoch(metric, "best"),
        f"difference, {metric.difference_unit}".rstrip(", "),
        "95 % interval",
        "images/s",
        "memory",
    ]


def run_header(metric: Metric) -> list[str]:
    """Return the column titles of `run_cells`."""
    results = [_of_epoch(metric, "last"), _of_epoch(metric, "best")]
    return ["arm", "seed", *results, "best epoch", "images/s", "run"]


def _of_epoch(metric: Metric, which: str) -> str:
    return metric.in_unit(f"{metric.label} {which} epoch")


MEMORIZED_HEADER = ("arm", *COLUMNS.values())

NONE = "\u2013"


def signed(value: float) -> str:
    """Format a number with its sign (U+2212 for minus); zero has no sign."""
    text = f"{value:+.2f}".replace("-", "\u2212")
    return "0.00" if text in ("+0.00", "\u22120.00") else text


def deviation(spread: Spread) -> str:
    """Return the std of a spread, if there is one."""
    return NONE if spread.deviation is None else f"{spread.deviation:.2f}"


def with_deviation(spread: Spread) -> str:
    """Return mean and std."""
    return f"{spread.mean:.2f}" + ("" if spread.deviation is None else f" \u00b1 {spread.deviation:.2f}")


def interval(difference: Difference | None) -> str:
    """Return a confidence interval, or why there is none."""
    if difference is None:
        return NONE
    if difference.low is None or difference.high is None:
        return "none: one seed"
    return f"{signed(difference.low)} to {signed(difference.high)}"


def speed(row: Row) -> str:
    """Format images/s, with the ratio to the baseline."""
    if row.images_per_second is None:
        return NONE
    relative = "" if row.is_baseline or row.speed is None else f" (\u00d7 {row.speed:.2f})"
    return f"{row.images_per_second.mean:,.0f}{relative}"


def memory(spread: Spread | None) -> str:
    """Format bytes as MiB or GiB."""
    if spread is None:
        return NONE
    mebibytes = spread.mean / 2**20
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.0f} MiB"


def cells(row: Row) -> list[str]:
    """Return the cells of an arm's row, in the order of `header`."""
    no_difference = "baseline" if row.is_baseline else NONE
    return [
        row.label,
        str(len(row.seeds)),
        f"{row.last.mean:.2f}",
        deviation(row.last),
        with_deviation(row.best),
        signed(row.difference.mean) if row.difference else no_difference,
        interval(row.difference),
        speed(row),
        memory(row.memory),
    ]


def run_cells(comparison: Comparison) -> list[list[str]]:
    """Return the cells of every run, in the order of `run_header`."""
    return [
        [arm.label, str(seed), *_run(run), _place(run.directory)]
        for arm in comparison.arms
        for seed, run in sorted(arm.runs.items())
    ]


def _place(directory: Path) -> str:
    """Return the name of a run's directory, with its parent's if it is only `seedN`."""
    return "/".join(directory.parts[-2:]) if re.fullmatch(r"seed\d+", directory.name) else directory.name


def _run(run: Run) -> list[str]:
    name, summary = run.record.metric, run.summary
    rate = summary.get("images_per_second")
    return [
        f"{summary[name]:.2f}",
        f"{summary[f'{name}_best']:.2f}",
        str(summary.get("best_epoch", NONE)),
        NONE if rate is None else f"{rate:,.0f}",
    ]


def verdict(row: Row, comparison: Comparison) -> str:
    """Say in words how an arm compares with the baseline."""
    found, baseline, metric = row.difference, comparison.baseline.label, comparison.metric
    if row.is_baseline:
        return "the baseline"
    if found is None:
        return f"has no seed in common with {baseline}"
    points = f"{signed(found.mean)} {metric.difference_unit}".rstrip()
    if found.low is None:
        return f"{points} against {baseline} with one seed: no interval"
    seeds = f"{found.count} seeds"
    if found.low == found.high:
        return f"{points} against {baseline} in each of {seeds}"
    if not found.excludes_zero:
        return f"{points} against {baseline}: not significant with {seeds}"
    word = "better" if metric.improves(found.mean) else "worse"
    return f"{word} than {baseline} over {seeds}: {points}, {interval(found)}"


def subtitle(comparison: Comparison) -> str:
    """Return the dataset, epochs and numbers of images in a line."""
    facts, dataset = comparison.facts, comparison.arms[0]
    name = str(next(iter(dataset.runs.values())).summary["dataset"]).rstrip("/").split("/")[-1]
    samples = f"{facts['train_samples']:,} training images, " if facts.get("train_samples") else ""
    return (
        f"{name}, {facts['epochs']} epochs, {samples}evaluated on "
        f"{facts['samples_evaluated']:,} images of split {facts['evaluation_split']}"
    )


def key_facts(comparison: Comparison) -> list[tuple[str, str]]:
    """Return the shared options that are headline options of `train` or not at their defaults."""
    usual, asked = default_options(), names_of(TrainOptions, headline=True)
    return [
        (f"--{name.replace('_', '-')}", _told(value))
        for name, value in comparison.shared.items()
        if name in asked or value != usual.get(name)
    ]


def _told(value: Any) -> str:
    if value is True:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def memorized_cells(comparison: Comparison) -> list[list[str]]:
    """Return how much each arm memorized of replaced labels; no rows if no run has replaced labels."""
    found = [(arm.label, summarize_memorized(arm)) for arm in comparison.arms]
    if not any(spreads for _, spreads in found):
        return []
    return [
        [label, *(with_deviation(spreads[name]) if name in spreads else NONE for name in COLUMNS)]
        for label, spreads in found
    ]


def evaluated_cells(comparison: Comparison) -> list[tuple[str, list[list[str]]]]:
    """Return a table for each set of images that runs were evaluated on, with a row for every number."""
    tables = []
    for pictures, spreads in summarize_evaluated(comparison.arms):
        names = dict.fromkeys(name for numbers in spreads for name in numbers)
        columns = list(zip(comparison.arms, spreads, strict=True))
        rows = [[name, *(_evaluated(numbers.get(name), arm) for arm, numbers in columns)] for name in names]
        tables.append((pictures, rows))
    return tables


def _evaluated(spread: Spread | None, arm: Arm) -> str:
    """Format mean and std, with more decimals for small numbers; with the number of seeds if not all."""
    if spread is None:
        return NONE
    places = 2 if abs(spread.mean) >= 10 else 3 if abs(spread.mean) >= 0.1 else 4
    deviation = "" if spread.deviation is None else f" \u00b1 {spread.deviation:.{places}f}"
    seeds = "" if spread.count == len(arm.runs) else f" ({spread.count} of {len(arm.runs)} seeds)"
    return f"{spread.mean:.{places}f}{deviation}{seeds}".replace("-", "\u2212")
