"""`timm-multimix preview`: draw examples mixed by a spec."""

from ..options.parser import parse
from ..options.preview import PreviewOptions
from .early import check_preview


def main(argv: list[str]) -> int:
    """Draw the figure, and print its path.

    Raises: UsageError for mistakes in the options, and for a mixer that cannot be drawn.
    """
    options = parse(PreviewOptions, argv)
    check_preview(options)
    from ..previews.run import run

    run(options)
    print(options.file.out)
    return 0
