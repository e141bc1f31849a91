"""The options of `predict`: the model, the images, and how the classes are printed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .declaration import REQUIRED, Options, option
from .shared import device, img_size, model_kwargs, settle_img_size
from .values import Count, KeyValues, Size


@dataclass(frozen=True, kw_only=True)
class PredictOptions(
    Options,
    prog="timm-multimix predict",
    usage="%(prog)s MODEL IMAGE ... [OPTION ...]",
    description="Classify images. An image that cannot be read is named and left out; the exit status is "
    "then 2.",
):
    """The options of a prediction."""

    model: str = option(
        REQUIRED,
        "a run's directory, local-dir:DIR, hf-hub:USER/NAME or a timm model with published weights",
        "MODEL",
        positional=True,
    )
    images: tuple[Path, ...] = option(
        REQUIRED, "image files, or directories of them at any depth", "IMAGE", positional=True
    )
    topk: Count = option(5, "classes for each image", "N")
    json: bool = option(False, "print JSON (default: text)")
    batch_size: Count = option(32, "", "N", short="-b")
    device: str = device()
    img_size: Size | None = img_size("the model's; height and width as 64x96", nargs=None)
    model_kwargs: KeyValues = model_kwargs()

    def settled(self) -> Self:
        """The same with one size of the images. Raises: UsageError."""
        return settle_img_size(self)
