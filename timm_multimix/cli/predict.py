"""`timm-multimix predict`: classify images."""

import json
import sys
from typing import TYPE_CHECKING

from ..options.parser import parse
from ..options.prediction import PredictOptions
from .early import check_prediction

if TYPE_CHECKING:
    from ..evaluation.prediction import Prediction


def main(argv: list[str]) -> int:
    """Print the most probable classes of each image, and return the exit status: 2 if one could not be read.

    Raises: UsageError for mistakes in the options, and for images that do not exist.
    """
    options = parse(PredictOptions, argv)
    check_prediction(options)
    from ..evaluation.prediction import describe, run

    found = []
    for prediction in run(options):
        found.append(prediction)
        if not options.json or prediction.error is not None:
            tell(prediction)
    if options.json:
        print(json.dumps([describe(prediction) for prediction in found], indent=1))
    return 0 if all(prediction.error is None for prediction in found) else 2


def tell(prediction: "Prediction") -> None:
    """Print a prediction; an error is printed to stderr."""
    if prediction.error is not None:
        print("error:", prediction.error, file=sys.stderr, flush=True)
        return
    print(prediction.image)
    for name, _, share in prediction.classes:
        print(f"  {share:.6g}  {name}" if prediction.numbers else f"  {share:7.2%}  {name}")
