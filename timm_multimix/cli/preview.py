"""`timm-multimix preview`: draw examples mixed by a spec."""

from ..options.preview import parse_preview_options
from .early import check_preview


def main(argv: list[str]) -> int:
    """Draw the figure, and print its path.

    Raises: UsageError for mistakes in the options, and for a mixer that cannot be drawn.
    """
    options = parse_preview_options(argv)
    check_preview(options)
    from ..previews.run import run

    run(options)
    print(options.file.out)
    return 0
