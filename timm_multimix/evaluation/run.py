"""An evaluation, from its options to a record."""

from typing import Any

from ..options.evaluation import EvaluateOptions
from ..records.evaluations import check_addable
from .job import Given, prepare
from .report import find_file, write
from .sections import measure_all

NOTHING = Given()


def run(options: EvaluateOptions, given: Given = NOTHING) -> dict[str, Any]:
    """Measure what the options of `evaluate` request; returns the record, which is also written.

    Raises:
        UsageError: a mistake in the options, before anything is measured.
        Unwritten: a file could not be written at the end; it has the record.
    """
    if file := find_file(options):
        check_addable(file)
    job = prepare(options, given)
    return write(job, measure_all(job))
