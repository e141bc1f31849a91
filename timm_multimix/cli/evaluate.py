"""`timm-multimix evaluate`: measure a trained model; options first, before torch is loaded."""

import os

from ..errors import UsageError
from ..options.evaluation import parse_evaluation_options


def main(argv: list[str]) -> int:
    """Measure what the options ask for, print it, and write it where there is a place for it.

    Raises: UsageError for mistakes in the options, and if several processes were launched.
    """
    options = parse_evaluation_options(argv)
    launched = os.environ.get("WORLD_SIZE", "1")
    if launched != "1":
        raise UsageError(
            f"evaluate works in one process, but {launched} were launched; start it without a launcher"
        )
    from ..evaluation.run import run

    run(options)
    return 0
