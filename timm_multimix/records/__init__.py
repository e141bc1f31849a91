"""What a run leaves in its directory, and the one way to read it."""

from .reader import FinishedRun, check_finished, read_metrics, read_options, read_run, read_summary
from .schema import NoiseRecord, RunRecord, Scores

__all__ = [
    "FinishedRun",
    "NoiseRecord",
    "RunRecord",
    "Scores",
    "check_finished",
    "read_metrics",
    "read_options",
    "read_run",
    "read_summary",
]
