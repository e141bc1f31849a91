"""The options of the images: their source, and augmentation before mixing."""

from dataclasses import dataclass, field
from typing import Literal

from ..errors import UsageError
from .declaration import Part, Trait, flag, option
from .shared import ColumnOptions, LoadingOptions, skip_broken
from .values import Count, DatasetName, Fraction, Natural, NonNegative, Positive, PositiveFraction, Repeats

OBJECT = "python:"
"""Prefix of the name of a dataset or model that was given as a Python object; its class follows."""


@dataclass(frozen=True, kw_only=True)
class DataOptions(Part, title="data"):
    """The images, their labels and how they are loaded."""

    dataset: DatasetName = option(
        "digits",
        "digits, with defaults of its own (small batches, few epochs, no augmentation); a Hub dataset as ID, "
        "ID:CONFIGURATION or ID@REVISION; a directory of class directories (by "
        "split or not), of parquet or tar files, of images with metadata.csv or .jsonl, of tables, or of "
        "save_to_disk; a file .csv, .tsv, .jsonl, .json, .parquet, .tar or .npz; timm's torch/NAME, hfds/ID "
        "or wds/NAME (docs/data.md)",
        "NAME",
        headline=True,
    )
    eval_on_train: bool = option(
        False, "let --val-split name the training images, to see how well they are fitted (default: an error)"
    )
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    skip_broken: bool = skip_broken(
        excludes={"streaming": "as it reads all images first"}, idle_on=("tensors", "loader")
    )
    streaming: bool = option(
        False,
        "read the training images of a Hub id, parquet or tar files as they arrive, in at most one loading "
        "process, shuffled in a buffer (default: download them first)",
        trait=Trait.STREAM,
    )
    cache: Literal["off", "ram", "device"] = option(
        "off",
        "decode all images once, keep them as 8 bits in main memory or on the device, and crop, flip and "
        "jitter them there in batches; for images of one size",
        excludes={"streaming": "as it holds all images in memory"},
        idle_on=("tensors", "loader"),
    )
    aug_repeats: Repeats = option(
        0.0,
        "an epoch has a part 1/N of the images, each N times, augmented anew every time; 0: every image once",
        "N",
        excludes={"streaming": "as it has no order to repeat images in"},
        idle_on=("loader",),
        new_in_child=True,
    )
    label_noise: Fraction = option(
        0.0,
        "replace this fraction of the training labels, chosen by --seed, and report after every epoch how "
        "many of them are learned",
        "PART",
        excludes={"streaming": "as it numbers all images first"},
        idle_on=("tensors", "loader"),
    )
    label_noise_kind: Literal["symmetric", "pair"] = option(
        "symmetric",
        "by any class at random, the true one included, or by the next class",
        needs=("label_noise",),
    )
    loading: LoadingOptions = field(default_factory=LoadingOptions)
    validation_batch_size: Count | None = option(
        None,
        "images per process and step of evaluation (default: --batch-size)",
        "N",
        short="-vb",
        idle_on=("loader",),
    )


@dataclass(frozen=True, kw_only=True)
class AugmentationOptions(
    Part,
    title="augmentation",
    idle_with=("no_aug",),
    idle_on=("tensors", "loader"),
    new_in_child=True,
):
    """The augmentation of each training image, before any mixing."""

    no_aug: bool = option(False, "only resize the training images (default: augment, except for digits)")
    crop_padding: Natural | None = option(
        None,
        "pad and crop at random, 4 for CIFAR, in the place of --scale and --ratio (default: off)",
        "PIXELS",
    )
    scale: tuple[PositiveFraction, PositiveFraction] = option(
        (0.08, 1.0),
        "area of the random resized crop (default: 0.08 1)",
        ("LOW", "HIGH"),
        idle_with=("crop_padding",),
    )
    ratio: tuple[Positive, Positive] = option(
        (3 / 4, 4 / 3),
        "aspect ratio of the random resized crop (default: 3/4 4/3)",
        ("LOW", "HIGH"),
        idle_with=("crop_padding",),
    )
    train_crop_mode: Literal["rrc", "rkrc", "rkrr"] = option(
        "rrc",
        "timm's crop: random resized, or resized with the ratio kept and cropped in the centre or at random",
        idle_with=("crop_padding",),
    )
    hflip: Fraction = option(0.5, "probability of a horizontal flip", "P")
    vflip: Fraction = option(0.0, "probability of a vertical flip", "P")
    color_jitter: NonNegative = option(
        0.0,
        "strength of colour changes (default: {default}, as mixing papers compare without; timm: 0.4)",
        "X",
        idle_with=("aa",),
    )
    aa: str | None = option(
        None, "timm's AutoAugment policy, such as rand-m9-mstd0.5 (default: none)", "POLICY"
    )
    reprob: Fraction = option(0.0, "probability of random erasing", "P")
    remode: Literal["const", "rand", "pixel"] = option("pixel", "fill of erased regions", needs=("reprob",))
    recount: Count = option(1, "regions to erase", "N", needs=("reprob",))
    train_interpolation: Literal["random", "bilinear", "bicubic"] = option(
        "random", "resizing in training (default: {default}, bilinear or bicubic by chance)"
    )

    def check(self) -> None:
        """Check intervals, and that no layer below has left a crop without effect. Raises: UsageError."""
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if low > high:
                raise UsageError(f"{flag(name)}: expected LOW <= HIGH, got {low} {high}")
        if self.no_aug and self.crop_padding:
            raise UsageError("--crop-padding has no effect together with --no-aug; remove one of them")
