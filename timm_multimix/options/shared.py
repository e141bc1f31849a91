"""Options that several commands have, word for word."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .values import KeyValues, Size, Switch, key_value, sides

Add = Callable[..., Any]


def add_model_kwargs(add: Add) -> None:
    """What a model is made with beside its name."""
    add(
        "--model-kwargs",
        nargs="*",
        type=key_value,
        action=KeyValues,
        default={},
        metavar="KEY=VALUE",
        help="further arguments of the model (default: none)",
    )


def add_img_size(add: Add, default: str, nargs: str | None = "+") -> None:
    """The size of the images as a model takes them. nargs: None, where other words may follow."""
    add(
        "--img-size",
        type=sides,
        action=Size,
        nargs=nargs,
        metavar="PIXELS",
        help=f"side of the input, or height and width (default: {default})",
    )


def settle_img_size(options: Namespace) -> None:
    """Let `img_size` among the arguments of the model be --img-size, so that images are fed as it is built.

    Raises:
        UsageError: both are given and differ, or it is no size.
    """
    if "img_size" not in options.model_kwargs:
        return
    rest = dict(options.model_kwargs)
    built = rest.pop("img_size")
    numbers = list(built) if isinstance(built, list | tuple) else [built]
    if len(numbers) not in (1, 2) or not all(type(side) is int and side > 0 for side in numbers):
        raise UsageError(f"--model-kwargs img_size must be a side or (height, width), got {built!r}")
    size = numbers[0] if len(set(numbers)) == 1 else numbers
    if options.img_size not in (None, size):
        raise UsageError(
            f"--img-size {options.img_size} and --model-kwargs img_size={built!r}: a model is built for "
            "the size that it is fed; give --img-size only"
        )
    options.model_kwargs, options.img_size = rest, size


def add_pretrained(add: Add) -> None:
    """Whether a model by name comes with its published weights, for commands that do not train."""
    add(
        "--pretrained",
        "--no-pretrained",
        action=Switch,
        default=False,
        help="for a timm model's name: its published weights and classes (default: random weights)",
    )


def add_device(add: Add) -> None:
    """Where commands that accelerate does not launch compute."""
    add("--device", default="auto", metavar="NAME", help="such as cpu or cuda:1 (default: the fastest)")


def add_log_level(add: Add) -> None:
    """How much the libraries underneath tell."""
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="what the libraries underneath log to stderr, tokens redacted (default: %(default)s)",
    )
