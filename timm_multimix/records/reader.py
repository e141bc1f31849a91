"""Reading a run's directory: every failure is one line that names the file."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError, printable, quoted
from ..files import read_json, read_text
from ..options import TrainOptions, options_to_dict, parse_train_options
from ..options.declaration import flat
from .schema import RunRecord, same_as_options

Rows = list[dict[str, float]]


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: summary.json, config.yaml and metrics.csv."""

    directory: Path
    record: RunRecord
    options: TrainOptions
    metrics: Rows

    @property
    def model(self) -> Path:
        """The directory of the run's model."""
        return self.directory / "model"


def is_run(directory: Path) -> bool:
    """Return whether a directory is that of a run, finished or not; one that cannot be looked into is not."""
    return os.path.isfile(directory / "config.yaml")


def check_finished(directory: Path) -> None:
    """Check by the names of its files that a directory holds a finished run; raises UsageError."""
    if not is_run(directory):
        reason = "it has no config.yaml" if directory.is_dir() else "there is no such directory"
        raise UsageError(f"{directory} is not a run's directory: {reason}")
    if not (directory / "summary.json").is_file():
        raise UsageError(
            f"the run in {directory} is not finished: it has no summary.json; "
            f"resume it with `train --output {directory} --resume auto`"
        )


def read_run(directory: Path) -> FinishedRun:
    """Read a finished run.

    Raises:
        UsageError: the directory holds no finished run, or a file in it is damaged.
    """
    check_finished(directory)
    run = FinishedRun(directory, read_summary(directory), read_options(directory), read_metrics(directory))
    _check_agreement(run)
    return run


def run_directory(model: str) -> Path | None:
    """Return the directory in MODEL, if MODEL is the directory of a run.

    Raises:
        UsageError: a path without a finished run.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if (path / "config.json").is_file() and not (path / "config.yaml").is_file():
            raise UsageError(f"{model} is a model's directory, not a run's; give local-dir:{model}")
        read_run(path)
        return path
    if path.is_file():
        raise UsageError(f"{model} is a file; give local-dir:{path.parent}, its directory")
    if "/" in model and ":" not in model:  # no name of timm
        raise UsageError(f"{model} is not a run's directory: there is no such directory")
    return None


def read_summary(directory: Path) -> RunRecord:
    """Return the content of summary.json.

    Raises:
        UsageError: it cannot be read, or is not what a run writes.
    """
    path = directory / "summary.json"
    content = read_json(path)
    try:
        return RunRecord.from_dict(content)
    except UsageError as error:
        raise UsageError(f"{path} is damaged: {error}") from None


def read_options(directory: Path) -> TrainOptions:
    """Return the options in config.yaml, with defaults for those that it does not name.

    Raises:
        UsageError: it cannot be read, is not what a run writes, or has a value that is not allowed.
    """
    path = directory / "config.yaml"
    options = parse_train_options(["--config", str(path)])
    if lacking := [name for name in needed_options() if name not in options.given]:
        raise UsageError(f"{path} is damaged: it lacks {', '.join(lacking)}")
    return options


def needed_options() -> list[str]:
    """Options in every config.yaml: those also in summary.json, and its last line, to detect cut files."""
    *_, last = options_to_dict(TrainOptions())
    return [*same_as_options(), last]


def read_metrics(directory: Path) -> Rows:
    """Return the rows of metrics.csv as numbers; empty cells are left out.

    Raises:
        UsageError: it cannot be read, or is not a table of numbers with a row for each epoch.
    """
    path = directory / "metrics.csv"
    try:
        return _parse_metrics(read_text(path))
    except (csv.Error, _Damage) as error:
        raise UsageError(f"{path} is damaged: {error}") from None


class _Damage(Exception):
    """The reason why a file is not intact."""


def _parse_metrics(text: str) -> Rows:
    header, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    if "epoch" not in header or len(set(header)) < len(header):
        raise _Damage("it has no header of different names, epoch among them")
    if not text.endswith("\n"):
        raise _Damage("its last line is cut short")
    rows = [_parse_row(header, line, number) for number, line in enumerate(lines, 1)]
    if not rows:
        raise _Damage("it has no rows")
    return rows


def _parse_row(header: list[str], line: list[str], number: int) -> dict[str, float]:
    if len(line) != len(header):
        raise _Damage(f"row {number} has {len(line)} cells, not {len(header)}")
    try:
        row = {name: float(cell) for name, cell in zip(header, line, strict=True) if cell}
    except ValueError as error:
        raise _Damage(f"row {number}: {quoted(str(error))}") from None
    if row.get("epoch") != number:
        raise _Damage(f"row {number} is of epoch {row.get('epoch', 'nothing')}")
    return row


def _check_agreement(run: FinishedRun) -> None:
    """Check that the files of a run belong together; raises UsageError."""
    if len(run.metrics) != run.record.epochs:
        raise UsageError(
            f"{run.directory / 'metrics.csv'} is damaged: it has {len(run.metrics)} rows, "
            f"summary.json has {run.record.epochs} epochs"
        )
    options = flat(run.options)
    for name in same_as_options():
        here, there = _text(options[name]), _text(getattr(run.record, name))
        if here != there:
            raise UsageError(
                f"{run.directory / 'config.yaml'} says {name} {here}, summary.json {there}: one is damaged"
            )


def _text(value: object) -> str:
    return printable(str(value))
