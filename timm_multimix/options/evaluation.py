"""The options of `evaluate`: what is measured, of which model, on which data."""

import argparse
from argparse import Namespace
from pathlib import Path

from ..errors import UsageError
from .data import add_loading, add_split
from .parser import Parser
from .shared import add_device, add_img_size, add_model_kwargs, add_pretrained, settle_img_size
from .values import Switch, integer, positive_fraction

ATTACKS = ("fgsm", "ifgsm", "pgd")
EPSILONS = ("1/255", "2/255", "4/255", "8/255")
PICTURES = (".png", ".svg", ".pdf")


def epsilon(text: str) -> float:
    """A budget in pixels of [0, 1], written as a fraction or a decimal."""
    top, slash, bottom = text.partition("/")
    try:
        value = float(top) / (float(bottom) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"expected a budget above 0 and at most 1 such as 4/255 or 0.03, got {text!r}"
        )
    return value


def picture(text: str) -> Path:
    """A file to draw into."""
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"expected a file that ends in {', '.join(PICTURES)}, got {text!r}")
    return Path(text)


def build_evaluation_parser() -> Parser:
    """All options of `evaluate` with their defaults."""
    parser = Parser(
        prog="timm-multimix evaluate",
        usage="%(prog)s MODEL [OPTION ...]",
        description="Measure a classifier: accuracy, calibration and embedding; the rest on demand. "
        "In one process: not under a launcher.",
        allow_abbrev=False,
    )
    _add_model(parser)
    _add_data(parser)
    _add_parts(parser)
    _add_output(parser)
    return parser


def _add_model(parser: Parser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run's folder, local-dir:FOLDER, hf-hub:USER/NAME (with their weights) or any timm model",
    )
    add = parser.add_argument_group("model").add_argument
    add_pretrained(add)
    add_model_kwargs(add)
    add_img_size(add, "the model's; with random weights, the data's")
    add(
        "--interpolation",
        choices=("bilinear", "bicubic", "nearest", "lanczos"),
        help="resizing (default: the model's)",
    )
    add(
        "--crop-pct",
        type=positive_fraction,
        metavar="X",
        help="part of the resized image kept (default: the model's)",
    )


def _add_data(parser: Parser) -> None:
    add = parser.add_argument_group("data").add_argument
    add("--dataset", metavar="NAME", help="as in `train` (default: the run's, else digits)")
    add_split(add)
    add_loading(add)


def _add_parts(parser: Parser) -> None:
    add = parser.add_argument_group("what is measured besides").add_argument
    add(
        "--attacks",
        nargs="*",
        choices=ATTACKS,
        metavar="METHOD",
        help="accuracy under attack by fgsm, ifgsm, pgd; without a name all (default: not measured)",
    )
    add(
        "--epsilons",
        nargs="+",
        type=epsilon,
        default=[epsilon(text) for text in EPSILONS],
        metavar="X",
        help=f"budgets of --attacks in pixels from 0 to 1 (default: {' '.join(EPSILONS)})",
    )
    add("--attack-steps", type=integer(1), default=10, metavar="N", help="steps (default: %(default)s)")
    add(
        "--attack-samples",
        type=integer(1),
        metavar="N",
        help="attack so many images, evenly spaced in the split (default: all)",
    )
    add(
        "--transfer-from",
        metavar="MODEL",
        help="attack through this model's gradients as well: a black-box attack (default: white box only)",
    )
    add(
        "--ood",
        nargs="+",
        metavar="NAME",
        help="datasets of unknown pictures to be told from the known (default: not measured)",
    )
    add(
        "--corruptions",
        "--no-corruptions",
        action=Switch,
        default=False,
        help="accuracy under noise, blur, contrast and JPEG in five strengths (default: not measured)",
    )
    add(
        "--consistency",
        nargs="+",
        metavar="SPEC",
        help="is f(mix) = mix(f) for these mixers of the input? (default: not measured)",
    )
    add(
        "--embedding-plot",
        type=picture,
        metavar="FILE",
        help="draw the embedding in the plane, by t-SNE (default: not drawn)",
    )


def _add_output(parser: Parser) -> None:
    add = parser.add_argument_group("output").add_argument
    add_device(add)
    add(
        "--seed",
        type=integer(0, 2**63 - 1),
        default=0,
        metavar="N",
        help="of noise, mixing and random starts (default: %(default)s)",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="JSON of all numbers (default: evaluation.json in the run's folder, else none)",
    )
    add("--json", "--no-json", action=Switch, default=False, help="print the JSON instead of a table")


NEED_ATTACKS = ("epsilons", "attack_steps", "attack_samples", "transfer_from")


def parse_evaluation_options(argv: list[str]) -> Namespace:
    """The options of an evaluation.

    Raises: UsageError for every mistake, in one line.
    """
    parser = build_evaluation_parser()
    defaults = {action.dest: action.default for action in parser.options()}
    chosen = build_evaluation_parser().parse_layer(argv)
    options = Namespace(**(defaults | chosen))
    settle_img_size(options)
    if options.attacks is None and (idle := [name for name in NEED_ATTACKS if name in chosen]):
        flag = "--" + idle[0].replace("_", "-")
        raise UsageError(f"{flag} has no effect without --attacks; give that as well")
    if options.attacks is not None:
        options.attacks = list(dict.fromkeys(options.attacks or ATTACKS))
        options.epsilons = sorted(set(options.epsilons))
    for file in (options.output, options.embedding_plot):
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise UsageError(f"cannot write {file}: a file in a folder that exists is expected")
    return options
