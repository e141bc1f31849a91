"""The options of the network and the shape of its input."""

from argparse import ArgumentParser

from .shared import add_img_size, add_model_kwargs
from .values import Switch, below_one, finite, integer, positive, positive_fraction


def add_model(parser: ArgumentParser) -> None:
    """The network and the shape of its input."""
    add = parser.add_argument_group("model").add_argument
    add(
        "--model",
        default="test_resnet",
        metavar="NAME",
        help="any timm model, local-dir:FOLDER, hf-hub:USER/NAME (default: %(default)s, timm's own tiny one)",
    )
    add(
        "--pretrained",
        "--no-pretrained",
        action=Switch,
        default=False,
        help="start from the model's published weights (default: random weights)",
    )
    add_model_kwargs(add)
    add(
        "--num-classes",
        type=integer(1),
        metavar="N",
        help="size of the classifier (default: the data's classes)",
    )
    add_img_size(add, "the data's, else the model's")
    add("--in-chans", type=integer(1), metavar="N", help="input channels (default: the model's, mostly 3)")
    add(
        "--mean", type=finite, nargs="+", metavar="X", help="channel means to subtract (default: the model's)"
    )
    add(
        "--std",
        type=positive,
        nargs="+",
        metavar="X",
        help="channel deviations to divide by (default: the model's)",
    )
    add(
        "--interpolation",
        choices=("bilinear", "bicubic", "nearest", "lanczos"),
        help="resizing in evaluation (default: the model's)",
    )
    add(
        "--crop-pct",
        type=positive_fraction,
        metavar="X",
        help="part of the resized image kept in evaluation (default: the model's)",
    )
    add(
        "--drop",
        type=below_one,
        default=0.0,
        metavar="RATE",
        help="dropout before the classifier (default: %(default)s)",
    )
    add("--drop-path", type=below_one, metavar="RATE", help="stochastic depth (default: the model's)")
    add(
        "--grad-checkpointing",
        "--no-grad-checkpointing",
        action=Switch,
        default=False,
        help="recompute activations in backward to save memory (default: keep them)",
    )
    add(
        "--channels-last",
        "--no-channels-last",
        action=Switch,
        default=False,
        help="channels-last memory, mostly faster on GPUs (default: contiguous)",
    )
    add(
        "--torchcompile",
        nargs="?",
        const="inductor",
        metavar="BACKEND",
        help="compile the model, without a value by inductor (default: not compiled)",
    )
