"""`timm-multimix preview`: draw what a mixer spec does."""

from ..options.preview import parse_preview_options
from .early import check_preview


def main(argv: list[str]) -> int:
    """Draw what the options ask for.

    Raises: UsageError for mistakes in the options, and for a mixer that cannot be shown so.
    """
    options = parse_preview_options(argv)
    check_preview(options)
    from ..previews.run import run

    run(options)
    print(options.file.out)
    return 0
