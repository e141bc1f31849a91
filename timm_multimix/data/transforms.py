"""timm's transforms from timm's options, and the crop from a padded picture of the small-image recipes."""

from collections.abc import Mapping
from typing import Any

from timm.data import create_transform
from timm.data.transforms import MaybeToTensor
from torchvision import transforms

from ..errors import UsageError
from ..options.data import AugmentationOptions
from .dataset import Transform
from .images import one_line
from .steps import CoverSize, PaddedCrop, ToNormalised


def create_transforms(
    options: AugmentationOptions, data_config: Mapping[str, Any]
) -> tuple[Transform, Transform]:
    """The training and the evaluation transform: PIL image -> float tensor [c, h, w], normalised.

    With `crop_padding`, a crop of the input size from the image padded by so many pixels takes the place of
    timm's random resized crop.

    Raises: UsageError for a value that timm does not know.
    """
    _check(data_config)
    return _finished(_training(options, data_config), data_config), create_evaluation_transform(data_config)


def create_evaluation_transform(data_config: Mapping[str, Any]) -> Transform:
    """The evaluation transform alone; with mean 0 and deviation 1 it gives pixels from 0 to 1."""
    evaluation = create_transform(**_common(data_config), **_evaluation(data_config))
    return _finished(evaluation, data_config)


def _training(options: AugmentationOptions, config: Mapping[str, Any]) -> transforms.Compose:
    settings = _common(config) | {"interpolation": _train_interpolation(options, config), "is_training": True}
    if options.no_aug:
        return create_transform(no_aug=True, **settings)
    try:
        first, second, last = create_transform(separate=True, **settings, **_augmentation(options))
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"`aa` {options.aa}: timm cannot make it ({one_line(error)})") from error
    crop = first.transforms[:1]
    if options.crop_padding:
        size = tuple(config["input_size"][-2:])
        crop = [CoverSize(size, settings["interpolation"]), PaddedCrop(size, options.crop_padding)]
    return transforms.Compose([*crop, *first.transforms[1:], *second.transforms, *last.transforms])


def _finished(transform: transforms.Compose, config: Mapping[str, Any]) -> transforms.Compose:
    """The same transform with timm's last steps from picture to normalised tensor as one fast step."""
    steps = list(transform.transforms)
    first = next(place for place, step in enumerate(steps) if isinstance(step, MaybeToTensor))
    steps[first : first + 2] = [ToNormalised(config["mean"], config["std"])]
    return transforms.Compose(steps)


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(config[name]) for name in ("input_size", "mean", "std")}


def _evaluation(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("crop_pct", "crop_mode", "interpolation")}


def _train_interpolation(options: AugmentationOptions, config: Mapping[str, Any]) -> str:
    return config["interpolation"] if options.no_aug else options.train_interpolation


def _augmentation(options: AugmentationOptions) -> dict[str, Any]:
    return {
        "scale": options.scale,
        "ratio": options.ratio,
        "hflip": options.hflip,
        "vflip": options.vflip,
        "color_jitter": options.color_jitter or None,
        "auto_augment": options.aa,
        "re_prob": options.reprob,
        "re_mode": options.remode,
        "re_count": options.recount,
    }


def _check(config: Mapping[str, Any]) -> None:
    channels = config["input_size"][0]
    for name in ("mean", "std"):
        if len(config[name]) != channels:
            raise UsageError(f"`{name}`: {len(config[name])} values for {channels} input channels")
