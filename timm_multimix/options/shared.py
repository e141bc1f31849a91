"""Options that several commands have, word for word."""

from dataclasses import dataclass
from typing import Any, Literal

from .declaration import Part, option
from .values import Count, Natural

Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class ColumnOptions(Part):
    """The split to evaluate on and the columns of a table."""

    val_split: str | None = option(None, "split to evaluate on (default: validation, else test)", "NAME")
    image_column: str | None = option(None, "column of the images (default: found by its type)", "NAME")
    label_column: str | None = option(None, "column of the labels (default: found by its type)", "NAME")


@dataclass(frozen=True, kw_only=True)
class LoadingOptions(Part):
    """How images are put into batches."""

    batch_size: Count = option(128, "images per process and step", "N", short="-b", headline=True)
    workers: Natural = option(
        2,
        "loading processes, 0 for none (default: {default}; the images are the same for any number)",
        "N",
        short="-j",
        bears_on_result=False,
    )
    pin_mem: bool = option(
        False, "pin batches in memory for faster copies to a GPU (default: not)", bears_on_result=False
    )


def skip_broken(**facts: Any) -> Any:
    """What becomes of unreadable images."""
    return option(
        False, "leave out and count images that cannot be read (default: stop at the first)", **facts
    )


def model_kwargs(**facts: Any) -> Any:
    """Arguments of a model besides its name."""
    return option({}, "further arguments of the model (default: none)", "KEY=VALUE", **facts)


def pretrained(**facts: Any) -> Any:
    """Whether a model by name comes with its published weights, for commands that do not train."""
    return option(
        False,
        "for a timm model's name: its published weights and classes (default: random weights)",
        **facts,
    )


def device() -> Any:
    """Where commands that accelerate does not launch compute."""
    return option("auto", "such as cpu or cuda:1 (default: the fastest)", "NAME")


def log_level(**facts: Any) -> Any:
    """How much the libraries underneath log."""
    return option("warning", "what the libraries underneath log to stderr, tokens redacted", **facts)
