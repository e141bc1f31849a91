"""The options of `predict`: by which model, of which pictures, and how it is told."""

from argparse import Namespace
from pathlib import Path

from .parser import Parser
from .shared import add_device, add_img_size, add_model_kwargs, settle_img_size
from .values import Switch, integer


def build_prediction_parser() -> Parser:
    """All options of `predict` with their defaults."""
    parser = Parser(
        prog="timm-multimix predict",
        usage="%(prog)s MODEL IMAGE ... [OPTION ...]",
        description="Say what is on pictures. A picture that cannot be read is named and left out; the exit "
        "status is then 2.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a run's folder, local-dir:FOLDER, hf-hub:USER/NAME or a timm model with published weights",
    )
    add(
        "images", nargs="+", type=Path, metavar="IMAGE", help="picture files, or folders of them at any depth"
    )
    add(
        "--topk",
        type=integer(1),
        default=5,
        metavar="N",
        help="classes for each picture (default: %(default)s)",
    )
    add("--json", "--no-json", action=Switch, default=False, help="print JSON (default: text)")
    add("-b", "--batch-size", type=integer(1), default=32, metavar="N", help="(default: %(default)s)")
    add_device(add)
    add_img_size(add, "the model's; height and width as 64x96", nargs=None)
    add_model_kwargs(add)
    return parser


def parse_prediction_options(argv: list[str]) -> Namespace:
    """The options of a prediction.

    Raises: UsageError for every mistake, in one line.
    """
    options = build_prediction_parser().parse_args(argv)
    settle_img_size(options)
    return options
