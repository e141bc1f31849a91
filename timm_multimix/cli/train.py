"""`timm-multimix train`: train a model; options are parsed before torch is imported."""

from ..options import parse_train_options
from .early import check_training


def main(argv: list[str]) -> int:
    """Parse the options and train."""
    options = parse_train_options(argv)
    check_training(options)
    from ..logs import start_logging
    from ..training import run

    start_logging(options.run.log_level)
    run(options)
    return 0
