"""The transforms of training and evaluation images, from the options."""

from collections.abc import Iterator, Mapping
from typing import Any

from timm.data import create_transform
from torchvision import transforms

from ..errors import UsageError, one_line
from ..options.data import AugmentationOptions
from .plan import Plan, Step
from .steps import CoverSize, PaddedCrop, ToNormalised


def create_transforms(options: AugmentationOptions, data_config: Mapping[str, Any]) -> tuple[Plan, Plan]:
    """The plans of training and of evaluation, which transform one image when they are called.

    With `crop_padding`, a crop of the input size from the image padded by so many pixels takes the place of
    timm's random resized crop.

    Raises: UsageError for a value that timm does not know.
    """
    _check(data_config)
    return _training(options, data_config), create_evaluation_transform(data_config)


def create_evaluation_transform(data_config: Mapping[str, Any]) -> Plan:
    """The evaluation transform alone."""
    return _without_chance(data_config, **_evaluation(data_config))


def create_pixel_transform(data_config: Mapping[str, Any]) -> Plan:
    """The evaluation transform without normalization: pixels from 0 to 1."""
    channels = data_config["input_size"][0]
    return create_evaluation_transform({**data_config, "mean": (0.0,) * channels, "std": (1.0,) * channels})


def _without_chance(config: Mapping[str, Any], **settings: Any) -> Plan:
    """timm's steps; its last two, from image to normalized tensor, as one fast step."""
    steps = create_transform(**_common(config), **settings).transforms
    return Plan(tuple(steps[:-2]), (), _normalize(config))


def _training(options: AugmentationOptions, config: Mapping[str, Any]) -> Plan:
    if options.no_aug:
        return _without_chance(config, is_training=True, no_aug=True, interpolation=config["interpolation"])
    crop, colours, erase = _timms_steps(options, config)
    resize: tuple[CoverSize, ...] = ()
    if options.crop_padding:
        size = tuple(config["input_size"][-2:])
        resize = (CoverSize(size, options.train_interpolation),)
        batch = {"size": size, "padding": options.crop_padding}
        crop = Step("`crop_padding`", PaddedCrop(size, options.crop_padding), batch)
    return Plan(resize, (crop, *_flips(options), *colours), _normalize(config), erase)


def _timms_steps(
    options: AugmentationOptions, config: Mapping[str, Any]
) -> tuple[Step, list[Step], tuple[Step, ...]]:
    """timm's crop, its changes of colour or policy, and its erasing.

    Raises: UsageError for a policy that timm does not know.
    """
    settings = _common(config) | {
        "interpolation": options.train_interpolation,
        "scale": options.scale,
        "ratio": options.ratio,
        "train_crop_mode": options.train_crop_mode,
        "color_jitter": options.color_jitter or None,
        "auto_augment": options.aa,
        "re_prob": options.reprob,
        "re_mode": options.remode,
        "re_count": options.recount,
    }
    try:
        first, second, last = create_transform(is_training=True, separate=True, **settings)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"`aa` {options.aa}: timm cannot make it ({one_line(error)})") from error
    if options.aa:  # which may bring changes of colour of its own
        colours = [Step("`aa`", step) for step in second.transforms]
    else:
        jitter = {"jitter": (options.color_jitter,) * 3}
        colours = [Step("`color_jitter`", step, jitter) for step in second.transforms]
    crop_steps = first.transforms[: 1 if options.train_crop_mode == "rrc" else 2]  # the others are flips
    crop = Step("a random resized crop (`scale`)", transforms.Compose(crop_steps))
    erase = last.transforms[2:]  # behind the two steps from image to normalized tensor
    return crop, colours, tuple(Step("`reprob`", step) for step in erase)


def _flips(options: AugmentationOptions) -> Iterator[Step]:
    if options.hflip:
        yield Step("`hflip`", transforms.RandomHorizontalFlip(options.hflip), {"hflip": options.hflip})
    if options.vflip:
        yield Step("`vflip`", transforms.RandomVerticalFlip(options.vflip), {"vflip": options.vflip})


def _normalize(config: Mapping[str, Any]) -> ToNormalised:
    return ToNormalised(config["mean"], config["std"])


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(config[name]) for name in ("input_size", "mean", "std")}


def _evaluation(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("crop_pct", "crop_mode", "interpolation")}


def _check(config: Mapping[str, Any]) -> None:
    channels = config["input_size"][0]
    for name in ("mean", "std"):
        if len(config[name]) != channels:
            raise UsageError(f"`{name}`: {len(config[name])} values for {channels} input channels")
