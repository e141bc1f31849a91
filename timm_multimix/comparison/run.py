"""Run `compare`: collect or train the runs, then write the pages."""

import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ..errors import UsageError
from ..options.comparison import CompareOptions
from ..redaction import public_text
from .collect import Arm, find_baseline, group, read_run, read_runs
from .formatting import verdict, with_deviation
from .processes import Forward, train
from .table import Comparison, compare
from .trials import Trial, directory_name, plan
from .write import check_output, write_comparison

logger = logging.getLogger(__name__)


def run(options: CompareOptions, argv: Sequence[str]) -> int:
    """Run a comparison and return the exit status: 2 if a run failed.

    Raises:
        UsageError: for mistakes, before anything is trained or written.
        Interrupted: for SIGTERM or SIGINT, after the run that was training has saved a checkpoint.
    """
    command = shlex.join(["timm-multimix", "compare", *map(public_text, argv)])
    compared = make_comparison(options, command)
    if compared.comparison:
        tell(compared.comparison, options.output)
    for name, line in compared.failures.items():
        logger.error(f"{name}: {line.removeprefix('error: ')}")
    return 2 if compared.failures else 0


@dataclass(frozen=True)
class Compared:
    """A comparison, None without a finished run, and the reason of each failed run."""

    comparison: Comparison | None
    failures: dict[str, str] = field(default_factory=dict)


def make_comparison(options: CompareOptions, command: str | None) -> Compared:
    """Collect or train the runs and write the pages; `command` is written there.

    Raises:
        UsageError: for mistakes, before anything is trained or written.
        Interrupted: for SIGTERM or SIGINT, after the run that was training has saved a checkpoint.
    """
    check_output(options.output)
    if options.runs:
        arms = group(read_runs(finished(options.runs)))
        comparison = compare(
            arms, find_baseline(arms, options.baseline), command=command, comparisons=options.comparisons
        )
        write_comparison(options.output, comparison)
        return Compared(comparison)
    return train_all(options, plan(options), command)


def finished(directories: Sequence[Path]) -> Sequence[Path]:
    """Return the directories of finished runs; a warning names the others, which `runs/*` may include.

    Raises:
        UsageError: there is no such directory.
    """
    if missing := [directory for directory in directories if not directory.exists()]:
        raise UsageError(f"{missing[0]} is not a run's directory: there is no such directory")
    found = [directory for directory in directories if (directory / "summary.json").is_file()]
    if not found:
        return directories  # reading them raises the error
    for directory in directories:
        if directory not in found:
            kind = "an unfinished run" if (directory / "config.yaml").is_file() else "no run"
            logger.warning(f"{directory} is {kind}; left out")
    return found


def train_all(options: CompareOptions, trials: Sequence[Trial], command: str | None) -> Compared:
    """Train what is not finished, and write the pages after every seed."""
    failures: dict[str, str] = {}
    seconds: list[float] = []
    group_finished(trials)
    with Forward() as forward:
        for number, trial in enumerate(trials, 1):
            head = f"[{number}/{len(trials)}] {trial}:"
            if trial.is_finished:
                logger.info(f"{head} finished before")
            else:
                logger.info(f"{head} training, log in {trial.log}")
                started = time.perf_counter()
                failure = train(trial, forward)
                forward.check()
                seconds.append(time.perf_counter() - started)
                if failure:
                    failures[str(trial)] = failure
                group_finished(trials)  # a seed with other options is noticed before the next one is trained
                waiting = sum(not other.is_finished for other in trials[number:])
                left = timedelta(seconds=round(waiting * sum(seconds) / len(seconds)))
                logger.info(f"{head} {failure or result_of(trial)}; about {left} left")
            if number % len(options.arms) == 0 and number < len(trials):
                collect(options, trials[:number], failures, command)
        return Compared(collect(options, trials, failures, command), failures)


def result_of(trial: Trial) -> str:
    """Return the last metric of a finished trial, as text."""
    run = read_run(trial.directory)
    *_, last = run.curve().values()
    return f"{run.metric.label} {run.metric.format(last)}"


def collect(
    options: CompareOptions, trials: Sequence[Trial], failures: dict[str, str], command: str | None
) -> Comparison | None:
    """Compare the finished trials and write the pages; returns None if no trial is finished."""
    arms = group_finished(trials)
    if not arms:
        return None
    missing = [
        f"{trial} ({_short(failures.get(str(trial), ''))})" for trial in trials if not trial.is_finished
    ]
    comparison = compare(arms, choose_baseline(options, arms), missing, command, options.comparisons)
    write_comparison(options.output, comparison)
    return comparison


def group_finished(trials: Sequence[Trial]) -> list[Arm]:
    """Group the finished trials into arms, in the order of the trials' arms.

    Raises: UsageError if an arm's directory holds runs that differ in more than their seed.
    """
    order = list(dict.fromkeys(trial.arm for trial in trials))
    done = sorted((trial for trial in trials if trial.is_finished), key=lambda trial: order.index(trial.arm))
    arms = group(read_runs([trial.directory for trial in done])) if done else []
    for home in dict.fromkeys(trial.directory.parent for trial in done):
        _check_alike(home, arms)
    return arms


def _check_alike(home: Path, arms: Sequence[Arm]) -> None:
    """Check that the runs in an arm's directory differ in their seed only; raises UsageError."""
    found = {arm.label: [run for run in arm.runs.values() if run.directory.parent == home] for arm in arms}
    labels = [label for label, runs in found.items() if runs]
    if len(labels) > 1:
        late = ", ".join(run.directory.name for label in labels[1:] for run in found[label])
        raise UsageError(
            f"runs in {home} differ in more than their seed: {' / '.join(labels)}; use a new --output, "
            f"or delete {late} there and give the options of the others"
        )


def _short(line: str) -> str:
    return public_text(line.removeprefix("error: ")) or "not trained"


def choose_baseline(options: CompareOptions, arms: Sequence[Arm]) -> Arm:
    """Return the arm of --baseline, else the first; if it has no finished run yet, the first that has one."""
    home: Path = options.output / directory_name(options.baseline or options.arms[0][0])
    found = [arm for arm in arms if any(run.directory.parent == home for run in arm.runs.values())]
    return found[0] if found else arms[0]


def tell(comparison: Comparison, directory: Path) -> None:
    """Log a line for each arm, and the path of the page."""
    metric = comparison.metric
    width = max(len(row.label) for row in comparison.rows)
    for row in comparison.rows:
        words = verdict(row, comparison)
        logger.info(f"{row.label:{width}}  {with_deviation(row.last):14}  {words}")
    logger.info(
        f"{metric.in_unit(metric.label + ' of the last epoch')}, with the standard deviation over seeds; "
        f"the page is {directory / 'comparison.html'}"
    )
