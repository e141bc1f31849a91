"""Options that several commands have, word for word."""

from collections.abc import Callable
from typing import Any

from .values import KeyValues, Switch, key_value

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
