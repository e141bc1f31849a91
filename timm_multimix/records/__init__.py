"""What a run leaves in its directory, and the one way to read it."""

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
