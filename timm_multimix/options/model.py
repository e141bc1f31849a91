"""The options of the network and the shape of its input."""

from dataclasses import dataclass, field

from .declaration import Part, option
from .shared import Interpolation, img_size, model_kwargs
from .values import BelowOne, Count, Finite, KeyValues, Positive, PositiveFraction, Size


@dataclass(frozen=True, kw_only=True)
class InputOptions(Part):
    """The shape of the input; None leaves a value to the model."""

    img_size: Size | None = img_size("the data's, else the model's")
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
        headline=True,
    )
    pretrained: bool = option(False, "start from the model's published weights (default: random weights)")
    model_kwargs: KeyValues = model_kwargs()
    num_classes: Count | None = option(None, "size of the classifier (default: the data's classes)", "N")
    input: InputOptions = field(default_factory=InputOptions)
    drop: BelowOne = option(0.0, "dropout before the classifier", "RATE")
    drop_path: BelowOne | None = option(None, "stochastic depth (default: the model's)", "RATE")
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
