"""`timm-multimix push`: publish a finished run, or complete an upload that its training could not finish."""

import sys

from ..options.parser import parse
from ..options.publishing import PushOptions


def main(argv: list[str]) -> int:
    """Upload the files of a run that the repository lacks.

    Raises: UsageError for a run that is not finished, and if the Hub refuses it.
    """
    options = parse(PushOptions, argv)
    from ..hub.run import check_push, push_run

    check_push(options)
    from huggingface_hub.utils import disable_progress_bars

    from ..logs import start_logging

    start_logging(options.log_level)
    if not sys.stderr.isatty():
        disable_progress_bars()
    done = push_run(options)
    if options.dry_run:
        print(f"{done} holds what {options.repo_id} would")
    else:
        print(f"{options.repo_id} holds {options.run}, commit {done}")
    return 0
