"""`timm-multimix predict`: what a model sees on pictures."""

from ..options.prediction import parse_prediction_options


def main(argv: list[str]) -> int:
    """Print the most probable classes of each picture; 2 if one could not be read.

    Raises: UsageError for mistakes in the options, and where no picture is found.
    """
    options = parse_prediction_options(argv)
    from ..evaluation.prediction import run

    return 0 if run(options) else 2
