"""The options of `preview`: of what, on which pictures, and into which file."""

import os
from argparse import Namespace
from pathlib import Path

from ..errors import UsageError
from .data import add_columns
from .evaluation import PICTURES, picture
from .parser import Parser
from .shared import add_img_size, add_model_kwargs, add_pretrained, settle_img_size
from .values import Switch, integer


def build_preview_parser() -> Parser:
    """All options of `preview` with their defaults."""
    parser = Parser(
        prog="timm-multimix preview",
        usage="%(prog)s --mix SPEC --out FILE [OPTION ...]",
        description="Draw what a spec does to pictures of a dataset: mixed examples with their labels, the "
        "weights of tuples, and the density of lambda.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--mix", required=True, metavar="SPEC", help="mixers, as in `train`")
    add("--out", required=True, type=picture, metavar="FILE", help=f"picture to write: {', '.join(PICTURES)}")
    add(
        "--overwrite",
        "--no-overwrite",
        action=Switch,
        default=False,
        help="replace a file that is there (default: not)",
    )
    add("--examples", type=integer(1, 16), default=4, metavar="N", help="steps shown (default: %(default)s)")
    add(
        "--seed",
        type=integer(0, 2**63 - 1),
        default=0,
        metavar="N",
        help="of pictures and draws (default: 0)",
    )
    _add_data(parser)
    _add_model(parser)
    return parser


def _add_data(parser: Parser) -> None:
    add = parser.add_argument_group("data").add_argument
    add("--dataset", default="digits", metavar="NAME", help="as in `train` (default: %(default)s)")
    add(
        "-b",
        "--batch-size",
        type=integer(2, 1024),
        default=32,
        metavar="N",
        help="examples that are mixed with each other (default: %(default)s)",
    )
    add_img_size(add, "the model's, the data's, else 224")
    add_columns(add)


def _add_model(parser: Parser) -> None:
    add = parser.add_argument_group("model, for mixers that are guided by one").add_argument
    add("--model", metavar="MODEL", help="as in `evaluate` (default: none)")
    add_pretrained(add)
    add_model_kwargs(add)


def parse_preview_options(argv: list[str]) -> Namespace:
    """The options of a preview.

    Raises: UsageError for every mistake, in one line.
    """
    options = build_preview_parser().parse_args(argv)
    check_writable("--out", options.out, options.overwrite)
    if options.model is None and (options.pretrained or options.model_kwargs):
        flag = "--pretrained" if options.pretrained else "--model-kwargs"
        raise UsageError(f"{flag} has no effect without --model; give that as well")
    settle_img_size(options)
    return options


def check_writable(flag: str, file: Path, overwrite: bool) -> None:
    """Raises: UsageError unless a file can be written there."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"{flag} {file}: a file in a folder that exists is expected")
    if file.exists() and not overwrite:
        raise UsageError(f"{flag} {file} exists; give --overwrite to replace it")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise UsageError(f"{flag} {file}: it cannot be written")
