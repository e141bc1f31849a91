"""Transforms against timm's and torchvision's own, and the padded crop."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from torchvision import transforms

from timm_multimix.data.steps import CoverSize, PaddedCrop, ToNormalised
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError

from .conftest import CONFIG, picture, train_options

GREY = CONFIG | {"input_size": (1, 16, 16), "mean": (0.5,), "std": (0.3,)}
STILL: dict[str, Any] = {"hflip": 0.0, "vflip": 0.0, "color_jitter": 0.0, "reprob": 0.0}


def seeded(transform: Any, image: Image.Image, seed: int = 0) -> torch.Tensor:
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
    return transform(image)


def timms(training: bool, config: dict[str, Any] = CONFIG, **options: Any) -> Any:
    common = {name: config[name] for name in ("input_size", "mean", "std")}
    return create_transform(is_training=training, **common, **options)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_evaluation_is_timms_to_the_last_bit(mode: str, interpolation: str) -> None:
    config = CONFIG | {"crop_mode": mode, "interpolation": interpolation}
    own = create_transforms(train_options(), config)[1]
    expected = timms(False, crop_pct=0.9, crop_mode=mode, interpolation=interpolation)
    image = picture(0, size=40).resize((50, 30))
    assert torch.equal(own(image), expected(image))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aa": "rand-m9-mstd0.5"},
        {"aa": "augmix-m3-w3"},
        {"aa": "3a", "reprob": 1.0, "remode": "rand", "recount": 2},
        {"train_interpolation": "bilinear", "hflip": 0.0, "color_jitter": 0.0, "scale": [1.0, 1.0]},
    ],
    ids=str,
)
def test_training_is_timms_with_the_same_options(changes: dict[str, Any]) -> None:
    options = train_options(**changes)
    expected = timms(
        True,
        scale=options.scale,
        ratio=options.ratio,
        hflip=options.hflip,
        vflip=options.vflip,
        color_jitter=options.color_jitter or None,
        auto_augment=options.aa,
        re_prob=options.reprob,
        re_mode=options.remode,
        re_count=options.recount,
        interpolation=options.train_interpolation,
    )
    own = create_transforms(options, CONFIG)[0]
    results = [seeded(own, picture(0, size=40), seed) for seed in range(8)]
    for seed, result in enumerate(results):
        torch.testing.assert_close(result, seeded(expected, picture(0, size=40), seed), rtol=0, atol=0)
    assert any(not torch.equal(result, results[0]) for result in results)


def test_no_aug_only_resizes_as_timm_does() -> None:
    own = create_transforms(train_options(no_aug=True), CONFIG)[0]
    image = picture(0, size=40)
    expected = timms(True, no_aug=True, interpolation="bicubic")(image)
    assert all(torch.equal(seeded(own, image, seed), expected) for seed in range(3))


@pytest.mark.parametrize("aa", [None, "rand-m9-mstd0.5", "augmix-m3-w3", "original"])
def test_greyscale_images_can_be_augmented(aa: str | None) -> None:
    training, evaluation = create_transforms(train_options(aa=aa), GREY)
    for seed in range(20):
        result = seeded(training, picture(seed, "L"), seed)
        assert result.shape == (1, 16, 16)
        assert result.isfinite().all()
    assert evaluation(picture(0, "L")).shape == (1, 16, 16)


def test_padded_crop_gives_every_window_of_the_padded_image() -> None:
    image = picture(0)
    padded = np.pad(np.asarray(image), ((2, 2), (2, 2), (0, 0)))
    windows = {padded[y : y + 16, x : x + 16].tobytes() for y in range(5) for x in range(5)}
    crop = PaddedCrop((16, 16), 2)
    assert {crop(image).tobytes() for _ in range(500)} == windows


def test_crop_padding_takes_the_place_of_the_resized_crop_only() -> None:
    training = create_transforms(train_options(**STILL | {"crop_padding": 2}), CONFIG)[0]
    flat = create_transforms(train_options(**STILL | {"hflip": 1.0, "crop_padding": 2}), CONFIG)[0]
    grid = timms(False, crop_pct=1.0)(picture(0))
    for seed in range(10):
        cropped = seeded(training, picture(0), seed)
        inner = cropped[:, 2:-2, 2:-2]
        assert any(torch.equal(inner, grid[:, y : y + 12, x : x + 12]) for y in range(5) for x in range(5))
        assert torch.equal(seeded(flat, picture(0), seed), cropped.flip(2))
    erased = create_transforms(train_options(**STILL | {"reprob": 1.0, "remode": "const"}), CONFIG)[0]
    assert (seeded(erased, picture(0)) == 0).any()


@pytest.mark.parametrize(
    ("size", "expected"), [((16, 16), (16, 16)), ((64, 32), (32, 16)), ((4, 12), (16, 48))]
)
def test_cover_size_keeps_the_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = picture(0, size=32).resize(size)
    covered = CoverSize((16, 16), "random")(image)
    assert covered.size == expected
    if size == expected:
        assert covered.tobytes() == image.tobytes()


def test_crop_padding_fits_images_of_any_size() -> None:
    training = create_transforms(train_options(crop_padding=4), CONFIG | {"input_size": (3, 16, 24)})[0]
    for size in ((5, 90), (90, 5), (24, 16), (100, 99)):
        assert training(picture(0, size=32).resize(size)).shape == (3, 16, 24)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_normalised_tensor_is_torchvisions(mode: str) -> None:
    mean, std = (0.485, 0.456, 0.406)[: len(mode) if mode != "L" else 1], (0.229, 0.224, 0.225)
    std = std[: len(mean)]
    expected = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    image = picture(0, mode, size=64)
    assert torch.equal(ToNormalised(mean, std)(image), expected(image))


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        ({"aa": "nonsense"}, CONFIG, "`aa` nonsense"),
        ({"aa": "rand-q9"}, CONFIG, "`aa` rand-q9"),
        ({}, CONFIG | {"mean": (0.5,)}, "`mean`: 1 values for 3 input channels"),
    ],
)
def test_unknown_values_are_usage_errors(
    options: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        create_transforms(train_options(**options), config)
    assert "\n" not in str(caught.value)
