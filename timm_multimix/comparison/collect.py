"""Read finished runs and group them into arms: runs that differ only in their seed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..options import TrainOptions, options_to_dict
from ..options.declaration import declared
from ..options.relations import is_idle
from ..records.evaluations import Evaluation, read_evaluations
from ..records.metrics import METRICS, Metric
from ..records.reader import read_run as read_finished
from ..records.schema import RunRecord
from .arm_names import make_arm_names
from .data_names import short_names

SAME = (
    "dataset",
    "train_split",
    "evaluation_split",
    "evaluation_data",
    "train_samples",
    "samples_evaluated",
    "classes",
    "epochs",
)
"""Fields that runs must share to be comparable: the data and the budget."""

ABOUT = ("num_processes", "mixed_precision")
"""Fields that identify a run besides its options."""


@dataclass(frozen=True)
class Run:
    """A finished run: its record, the options that affect its result, its metrics, its evaluations."""

    directory: Path
    record: RunRecord
    options: dict[str, Any]
    rows: list[dict[str, float]]
    evaluations: Sequence[Evaluation] = ()  # what `evaluate` measured of its weights

    @property
    def seed(self) -> int:
        return self.record.seed

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The record as a dictionary of plain values."""
        return self.record.to_dict()

    @property
    def metric(self) -> Metric:
        """The metric of its result."""
        return METRICS[self.record.metric]

    def curve(self) -> dict[int, float]:
        """Return the evaluation metric by epoch, of the exported weights (`model` or its moving average)."""
        weights = "ema" if self.record.exported_weights == "ema" else "eval"
        column = f"{weights}_{self.record.metric}"
        return {int(row["epoch"]): row[column] for row in self.rows if column in row}


@dataclass
class Arm:
    """Runs that differ only in their seed."""

    label: str
    mix: str
    runs: dict[int, Run] = field(default_factory=dict)  # by seed

    @property
    def results(self) -> dict[int, float]:
        """The metric of the last epoch by seed."""
        return {seed: run.summary[run.record.metric] for seed, run in sorted(self.runs.items())}

    @property
    def best_results(self) -> dict[int, float]:
        """The metric of the best epoch by seed."""
        return {seed: run.summary[f"{run.record.metric}_best"] for seed, run in sorted(self.runs.items())}

    def values(self, name: str) -> dict[int, float]:
        """Return a number of summary.json by seed, for the runs that have it."""
        found = {seed: run.summary.get(name) for seed, run in sorted(self.runs.items())}
        return {seed: float(value) for seed, value in found.items() if value is not None}


def read_run(directory: Path) -> Run:
    """Return a finished run; raises UsageError if there is none in the directory, or it is damaged."""
    found = read_finished(directory)
    options, evaluations = relevant_options(found.options), read_evaluations(directory, found.model)
    return Run(directory, found.record, options, found.metrics, evaluations)


def relevant_options(found: TrainOptions) -> dict[str, Any]:
    """Return the options that affect the result; an option without effect in this run is at its default."""
    options, defaults = options_to_dict(found, result_only=True), default_options()
    del options["seed"]
    idle = {name for name in options if is_idle(declared(TrainOptions)[name], options)}
    return options | {name: defaults[name] for name in idle & defaults.keys()}


@cache
def default_options() -> dict[str, Any]:
    """Return all options of train at their defaults; not to be changed."""
    return options_to_dict(TrainOptions())


def read_runs(directories: Iterable[Path]) -> list[Run]:
    """Return finished runs that can be compared; raises UsageError if two have different data or budgets."""
    runs = [read_run(directory) for directory in directories]
    check_comparable(runs)
    return runs


def check_comparable(runs: Sequence[Run]) -> None:
    """Check that runs have the same data and numbers of epochs; raises UsageError."""
    datasets = short_names(str(run.summary["dataset"]) for run in runs)
    for name in SAME:
        # Runs from before a field was recorded, and data without it, have none.
        values = [str(run.summary[name]) for run in runs if run.summary.get(name) is not None]
        found = Counter(datasets[value] if name == "dataset" else value for value in values)
        if len(found) > 1:
            told = ", ".join(f"{value} ({count} runs)" for value, count in found.items())
            raise UsageError(
                f"runs with different {name.replace('_', ' ')} cannot be compared: "
                f"{told}; compare them separately"
            )


def group(runs: Sequence[Run]) -> list[Arm]:
    """Group runs into arms in the order of their first run, each labelled by its differences from the others.

    Raises: UsageError if two runs are equal in all but their directory.
    """
    datasets = short_names(str(run.options["dataset"]) for run in runs)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(identity(run, datasets), sort_keys=True), []).append(run)
    labels = make_arm_names([identity(members[0], datasets) for members in groups.values()])
    arms = []
    for label, members in zip(labels, groups.values(), strict=True):
        arm = Arm(label, members[0].record.mix)
        for run in members:
            if run.seed in arm.runs:
                raise UsageError(
                    f"two runs of {label} have seed {run.seed}: {arm.runs[run.seed].directory} and "
                    f"{run.directory}; give one of them"
                )
            arm.runs[run.seed] = run
        arms.append(arm)
    return arms


def identity(run: Run, datasets: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that runs of one arm share: options except the seed, processes, precision, parent.

    Args:
        run: one of them.
        datasets: names of datasets by their options' values, as `short_names` returns them.
    """
    about = {name: run.summary[name] for name in ABOUT if name in run.summary}
    if run.record.parent:
        about["epochs_before"] = run.record.parent.epochs
    return run.options | {"dataset": datasets[str(run.options["dataset"])]} | about


def find_baseline(arms: Sequence[Arm], wanted: str | None) -> Arm:
    """Return the arm of this label, or the only one of this mix; by default the only `none`, else the first.

    Raises: UsageError if there is no such arm, or more than one.
    """
    labels = ", ".join(repr(arm.label) for arm in arms)
    found = [arm for arm in arms if wanted == arm.label] or [
        arm for arm in arms if arm.mix == (wanted or "none")
    ]
    if wanted is None:
        return found[0] if len(found) == 1 else arms[0]
    if len(found) != 1:
        number = "several arms" if found else "no arm"
        raise UsageError(f"--baseline {wanted}: {number} of that name; there are {labels}")
    return found[0]
