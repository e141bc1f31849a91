"""The files in a run's directory: their schema, and how they are read."""

from .reader import (
    FinishedRun,
    check_finished,
    read_metrics,
    read_options,
    read_run,
    read_summary,
    run_directory,
)
from .schema import NoiseRecord, ParentRecord, RunRecord, Scores

__all__ = [
    "FinishedRun",
    "NoiseRecord",
    "ParentRecord",
    "RunRecord",
    "Scores",
    "check_finished",
    "read_metrics",
    "read_options",
    "read_run",
    "read_summary",
    "run_directory",
]
