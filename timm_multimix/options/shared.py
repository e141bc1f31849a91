"""Options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..errors import UsageError
from .declaration import Options, Part, Trait, flat, option
from .values import Count, Natural, Seed

Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class ColumnOptions(Part):
    """The splits and the columns of a table."""

    train_split: str | None = option(
        None, "split for training (default: train, else all)", "NAME", subject=True
    )
    val_split: str | None = option(
        None,
        "split to evaluate on, or the fraction of the training split to hold out for that, stratified by "
        "class, such as 0.1 (default: validation, else test)",
        "NAME",
        subject=True,
    )
    val_split_seed: Seed | None = option(
        None,
        "seed that chooses the images to hold out, whatever --seed is (default: 0)",
        "N",
        needs=("val_split",),
    )
    data_dir: Path | None = option(
        None,
        "directory of the data of a torch/ or wds/ name, or of the images of a table (default: the table's)",
        "DIR",
        trait=Trait.DIRECTORY,
    )
    dataset_download: bool = option(
        False,
        "let torchvision download a torch/ dataset into --data-dir (default: not)",
        needs=("data_dir",),
        trait=Trait.DOWNLOAD,
    )
    image_column: str | None = option(
        None,
        "column of the images (default: by the usual names, then types)",
        "NAME",
        aliases=("input_key",),
        trait=Trait.COLUMNS,
    )
    label_column: str | None = option(
        None,
        "column of the labels, or several of 0 and 1 as A,B,C (default: by the usual names, then types)",
        "NAME",
        aliases=("target_key",),
        trait=Trait.COLUMNS,
    )
    task: Literal["auto", "classification", "multi-label", "regression"] = option(
        "auto",
        "what the labels are for (default: by their type: lists and several columns are multi-label, numbers "
        "with fractions regression, all else classification)",
        trait=Trait.TARGETS,
    )


@dataclass(frozen=True, kw_only=True)
class LoadingOptions(Part, idle_on=("loader",)):
    """The loading of images in batches."""

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


def imports(**facts: Any) -> Any:
    """Modules with mixers of the user's own."""
    return option(
        (),
        "a module that registers mixers, installed or in the working directory; may be repeated (default: "
        "none)",
        "MODULE",
        append=True,
        **facts,
    )


def skip_broken(**facts: Any) -> Any:
    """The handling of unreadable images."""
    return option(
        False, "leave out and count images that cannot be read (default: stop at the first)", **facts
    )


def model_kwargs(**facts: Any) -> Any:
    """Arguments of a model besides its name."""
    return option({}, "further arguments of the model (default: none)", "KEY=VALUE", **facts)


def img_size(default: str, nargs: str | None = "+", **facts: Any) -> Any:
    """The size of the images as a model takes them. nargs: None, where other words may follow."""
    return option(
        None, f"side of the input, or height and width (default: {default})", "PIXELS", nargs=nargs, **facts
    )


Command = TypeVar("Command", bound=Options)


def settle_img_size(options: Command) -> Command:
    """Move `img_size` from the model's arguments to --img-size, so that images have the model's size.

    Raises:
        UsageError: both are given and differ, or it is no size.
    """
    values = flat(options)
    if "img_size" not in values["model_kwargs"]:
        return options
    rest = dict(values["model_kwargs"])
    built = rest.pop("img_size")
    numbers = list(built) if isinstance(built, list | tuple) else [built]
    if len(numbers) not in (1, 2) or not all(type(side) is int and side > 0 for side in numbers):
        raise UsageError(f"--model-kwargs img_size must be a side or (height, width), got {built!r}")
    size = numbers[0] if len(set(numbers)) == 1 else tuple(numbers)
    if values["img_size"] not in (None, size):
        raise UsageError(
            f"--img-size {values['img_size']} and --model-kwargs img_size={built!r}: a model is built for "
            "the size that it is fed; give --img-size only"
        )
    return options.but(model_kwargs=rest).instead(img_size=size)


def pretrained(**facts: Any) -> Any:
    """Whether a model by name comes with its published weights, for commands that do not train."""
    return option(
        False,
        "for a timm model's name: its published weights and classes (default: random weights)",
        **facts,
    )


def device() -> Any:
    """The device of commands that accelerate does not launch."""
    return option("auto", "such as cpu or cuda:1 (default: the fastest)", "NAME")


def log_level(**facts: Any) -> Any:
    """The log level of the libraries."""
    return option("warning", "what the libraries underneath log to stderr, tokens redacted", **facts)
