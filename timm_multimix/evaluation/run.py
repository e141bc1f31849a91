"""An evaluation from options to a record and a table."""

from typing import Any

from ..options.evaluation import EvaluateOptions
from .job import Given, prepare
from .report import write
from .sections import measure_all

NOTHING = Given()


def run(options: EvaluateOptions, given: Given = NOTHING) -> dict[str, Any]:
    """Measure what the options of `evaluate` ask for; gives the record, which is also written.

    Raises:
        UsageError: for a mistake in the options, before anything is measured.
    """
    job = prepare(options, given)
    return write(job, measure_all(job))
