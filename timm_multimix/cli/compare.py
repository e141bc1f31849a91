"""`timm-multimix compare`: compare runs; options are parsed before torch is imported."""

from ..options.comparison import parse_comparison_options
from .early import check_alone, check_comparison


def main(argv: list[str]) -> int:
    """Collect or train runs, write the pages, and return the exit status: 2 if a run failed.

    Raises: UsageError for mistakes in the options, and if several processes were launched.
    """
    options = parse_comparison_options(argv)
    check_alone("compare")
    check_comparison(options)
    from ..comparison.run import run

    return run(options, argv)
