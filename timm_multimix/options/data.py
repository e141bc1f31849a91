"""The options of the images: where they come from and what is done to each before any mixing."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from .values import Switch, fraction, integer, non_negative, positive, positive_fraction


def add_data(parser: ArgumentParser) -> None:
    """The images, their labels and how they are loaded."""
    add = parser.add_argument_group("data").add_argument
    add(
        "--dataset",
        default="digits",
        metavar="NAME",
        help="digits, a Hub dataset as ID, ID:CONFIGURATION or ID@REVISION, a directory of train/ and val/ "
        "with class directories, or one of parquet files or tar files (default: %(default)s)",
    )
    add("--train-split", metavar="NAME", help="split to train on (default: train)")
    add(
        "--eval-on-train",
        "--no-eval-on-train",
        action=Switch,
        default=False,
        help="let --val-split name the images trained on, for a look at fitting (default: an error)",
    )
    add_split(add)
    add(
        "--streaming",
        "--no-streaming",
        action=Switch,
        default=False,
        help="read the training images of a Hub id, parquet or tar files as they arrive, in at most one "
        "loading process, shuffled in a buffer (default: download them first)",
    )
    add(
        "--cache",
        choices=("off", "ram", "device"),
        default="off",
        help="decode all images once, keep them as 8 bits in main memory or on the device, and crop, flip "
        "and jitter them there in batches; for images of one size (default: %(default)s)",
    )
    add(
        "--label-noise",
        type=fraction,
        default=0.0,
        metavar="PART",
        help="replace this part of the training labels, chosen by --seed, and report what the model makes of "
        "them after every epoch (default: %(default)s)",
    )
    add(
        "--label-noise-kind",
        choices=("symmetric", "pair"),
        default="symmetric",
        help="by any class at random, the true one included, or by the next class (default: %(default)s)",
    )
    add_loading(add)
    add(
        "-vb",
        "--validation-batch-size",
        type=integer(1),
        metavar="N",
        help="images per process and step of evaluation (default: --batch-size)",
    )


def add_columns(add: Callable[..., Any]) -> None:
    """The split to evaluate on and the columns of a table."""
    add("--val-split", metavar="NAME", help="split to evaluate on (default: validation, else test)")
    add(
        "--image-column",
        metavar="NAME",
        help="column of the images (default: by the usual names, then types)",
    )
    add(
        "--label-column",
        metavar="NAME",
        help="column of the labels (default: by the usual names, then types)",
    )


def add_split(add: Callable[..., Any]) -> None:
    """The split to evaluate on and what is read of a dataset."""
    add_columns(add)
    add(
        "--skip-broken",
        "--no-skip-broken",
        action=Switch,
        default=False,
        help="leave out and count images that cannot be read (default: stop at the first)",
    )


def add_loading(add: Callable[..., Any]) -> None:
    """How images are put into batches."""
    add(
        "-b",
        "--batch-size",
        type=integer(1),
        default=128,
        metavar="N",
        help="images per process and step (default: %(default)s)",
    )
    add(
        "-j",
        "--workers",
        type=integer(0),
        default=2,
        metavar="N",
        help="loading processes, 0 for none (default: %(default)s; the pictures are the same for any number)",
    )
    add(
        "--pin-mem",
        "--no-pin-mem",
        action=Switch,
        default=False,
        help="pin batches in memory for faster copies to a GPU (default: not)",
    )


AUGMENTATIONS = frozenset(
    {
        "aa",
        "color_jitter",
        "crop_padding",
        "hflip",
        "ratio",
        "recount",
        "remode",
        "reprob",
        "scale",
        "train_interpolation",
        "vflip",
    }
)
"""What has no effect under --no-aug."""


def add_augmentation(parser: ArgumentParser) -> None:
    """What is done to each training image by itself, before any mixing."""
    add = parser.add_argument_group("augmentation").add_argument
    add(
        "--no-aug",
        "--aug",
        dest="no_aug",
        action=Switch,
        default=False,
        help="only resize the training images (default: augment, except for digits)",
    )
    add(
        "--crop-padding",
        type=integer(0),
        metavar="PIXELS",
        help="pad and crop at random, 4 for CIFAR, in the place of --scale and --ratio (default: off)",
    )
    add(
        "--scale",
        type=positive_fraction,
        nargs=2,
        default=[0.08, 1.0],
        metavar=("LOW", "HIGH"),
        help="area of the random resized crop (default: 0.08 1)",
    )
    add(
        "--ratio",
        type=positive,
        nargs=2,
        default=[3 / 4, 4 / 3],
        metavar=("LOW", "HIGH"),
        help="aspect ratio of the random resized crop (default: 3/4 4/3)",
    )
    add(
        "--hflip",
        type=fraction,
        default=0.5,
        metavar="P",
        help="probability of a horizontal flip (default: %(default)s)",
    )
    add(
        "--vflip",
        type=fraction,
        default=0.0,
        metavar="P",
        help="probability of a vertical flip (default: %(default)s)",
    )
    add(
        "--color-jitter",
        type=non_negative,
        default=0.0,
        metavar="X",
        help="strength of colour changes (default: %(default)s, as mixing papers compare without; timm: 0.4)",
    )
    add("--aa", metavar="POLICY", help="timm's AutoAugment policy, such as rand-m9-mstd0.5 (default: none)")
    add(
        "--reprob",
        type=fraction,
        default=0.0,
        metavar="P",
        help="probability of random erasing (default: %(default)s)",
    )
    add(
        "--remode",
        choices=("const", "rand", "pixel"),
        default="pixel",
        help="what erases (default: %(default)s)",
    )
    add("--recount", type=integer(1), default=1, metavar="N", help="regions to erase (default: %(default)s)")
    add(
        "--train-interpolation",
        choices=("random", "bilinear", "bicubic"),
        default="random",
        help="resizing in training (default: %(default)s, bilinear or bicubic by chance)",
    )
