"""The options of the network and the shape of its input."""

from dataclasses import dataclass, field
from pathlib import Path

from .declaration import Part, flag, option
from .files import check_readable
from .shared import Interpolation, img_size, model_kwargs
from .values import BelowOne, Count, Finite, KeyValues, NonNegative, Positive, PositiveFraction, Size

LOCAL = "local-dir:"
"""Before the directory of a model."""
WITH_WEIGHTS = (LOCAL, "hf-hub:")
"""Beginnings of names of models that come with their weights."""


@dataclass(frozen=True, kw_only=True)
class InputOptions(Part):
    """The shape of the input; None leaves a value to the model."""

    img_size: Size | None = img_size("32 for digits, else the model's")
    in_chans: Count | None = option(None, "input channels (default: the model's, mostly 3)", "N")
    mean: tuple[Finite, ...] | None = option(None, "channel means to subtract (default: the model's)", "X")
    std: tuple[Positive, ...] | None = option(
        None, "channel standard deviations to divide by (default: the model's)", "X"
    )
    interpolation: Interpolation | None = option(None, "resizing in evaluation (default: the model's)")
    crop_pct: PositiveFraction | None = option(
        None, "part of the resized image kept in evaluation (default: the model's)", "X"
    )


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Part, title="model"):
    """The network and the shape of its input."""

    model: str = option(
        "test_resnet",
        "any timm model, local-dir:DIR, hf-hub:USER/NAME (default: {default}, timm's own tiny one)",
        "NAME",
        bare=True,
        subject=True,
        headline=True,
    )
    pretrained: bool = option(
        False,
        "start from the model's published weights (default: random weights)",
        initial_weights=True,
        idle_on=("model",),
    )
    pretrained_path: Path | None = option(
        None,
        "start from the weights in this .safetensors or .pth file, with the first layer and the classifier "
        "made to fit; as in timm, also with --pretrained, in place of the published ones (default: none)",
        "FILE",
        initial_weights=True,
        idle_on=("model",),
    )
    initial_checkpoint: Path | None = option(
        None,
        "load this .safetensors or .pth file, which must fit as it is, into the model (default: none)",
        "FILE",
        initial_weights=True,
        excludes={
            "pretrained": "which starts from other weights",
            "pretrained_path": "which starts from other weights",
        },
        idle_on=("model",),
    )
    model_kwargs: KeyValues = model_kwargs(idle_on=("model",))
    num_classes: Count | None = option(None, "size of the classifier (default: the data's classes)", "N")
    input: InputOptions = field(default_factory=InputOptions)
    input_size: tuple[Count, Count, Count] | None = option(
        None,
        "as in timm: --in-chans and --img-size in one (default: not given)",
        ("CHANNELS", "HEIGHT", "WIDTH"),
        idle_with=("img_size", "in_chans"),
    )
    head_init_scale: NonNegative | None = option(
        None, "multiply the classifier's first weights and biases by this (default: 1)", "X"
    )
    head_init_bias: Finite | None = option(
        None, "set the classifier's first biases to this, such as -log(classes) (default: timm's)", "X"
    )
    sync_bn: bool = option(
        False, "BatchNorm's statistics over the batches of all processes, on GPUs (default: each its own)"
    )
    drop: BelowOne = option(0.0, "dropout before the classifier", "RATE", idle_on=("model",))
    drop_path: BelowOne | None = option(
        None, "stochastic depth (default: the model's)", "RATE", idle_on=("model",)
    )
    grad_checkpointing: bool = option(
        False, "recompute activations in backward to save memory (default: keep them)"
    )
    channels_last: bool = option(False, "channels-last memory, mostly faster on GPUs (default: contiguous)")
    torchcompile: str | None = option(
        None,
        "compile the model, without a value by inductor (default: not compiled)",
        "BACKEND",
        nargs="?",
        const="inductor",
    )

    @property
    def local_weights(self) -> Path | None:
        """The file whose weights training starts from; None for published and random ones."""
        return self.pretrained_path or self.initial_checkpoint

    def check_files(self) -> None:
        """Check that files of weights are there, which a finished run can do without. Raises: UsageError."""
        for name in ("pretrained_path", "initial_checkpoint"):
            check_readable(flag(name), getattr(self, name))
