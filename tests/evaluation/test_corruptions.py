"""Corruptions against other libraries, and their randomness, which depends on the image alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from timm_multimix.data.measured import load_split
from timm_multimix.errors import UsageError
from timm_multimix.evaluation.classifier import Classifier
from timm_multimix.evaluation.corruptions import (
    KINDS,
    LARGE,
    SMALL,
    STRENGTHS,
    Corrupt,
    corrupt,
    gaussian_blur,
    jpeg,
)
from timm_multimix.evaluation.pictures import Pictures
from timm_multimix.options.shared import LoadingOptions


def picture(seed: int = 0, channels: int = 3, side: int = 32) -> torch.Tensor:
    """A smooth image with some texture, at 8 bits."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, 5, 5, generator=generator)
    smooth = nn.functional.interpolate(coarse, (side, side), mode="bilinear")[0]
    textured = smooth + 0.1 * torch.rand(channels, side, side, generator=generator)
    return textured.clamp(0, 1).mul(255).round().div(255)


def apply(pixels: torch.Tensor, kind: str, strength: int) -> torch.Tensor:
    return corrupt(pixels, kind, strength, torch.Generator().manual_seed(7))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_get_worse_with_strength_and_stay_images(kind: str, side: int, channels: int) -> None:
    pixels = picture(0, channels, side)
    before = pixels.clone()
    found = [apply(pixels, kind, strength) for strength in STRENGTHS]
    assert torch.equal(pixels, before)
    distances = [(changed - pixels).square().mean().item() for changed in found]
    assert distances == sorted(distances)
    assert distances[0] > 0
    for changed in found:
        assert (changed.shape, changed.dtype) == (pixels.shape, pixels.dtype)
        assert torch.equal(changed, changed.mul(255).round().div(255).clamp(0, 1))


def test_the_parameters_get_worse_and_large_images_have_the_stronger_ones() -> None:
    assert SMALL.keys() == LARGE.keys() == set(KINDS)
    for kind in KINDS:
        worse = 1 if kind in ("noise", "blur") else -1
        for levels in (SMALL[kind], LARGE[kind]):
            assert list(levels) == sorted(levels, key=lambda level: worse * level)
            assert len(set(levels)) == 5
        assert all(worse * b > worse * a for a, b in zip(SMALL[kind], LARGE[kind], strict=True))


def test_blur_as_scipy_has_it() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    pixels = picture().double()
    for sigma in (0.4, 1.0, 3.0):
        expected = ndimage.gaussian_filter(
            pixels.numpy(), (0, sigma, sigma), mode="nearest", radius=round(4 * sigma + 0.49)
        )
        assert np.allclose(gaussian_blur(pixels, sigma).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_as_pillow_has_it(channels: int) -> None:
    pixels = picture(1, channels)
    values = pixels.mul(255).round().byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(values.squeeze()).save(stream, "JPEG", quality=50)
    expected = np.asarray(Image.open(stream)).reshape(values.shape)
    assert np.array_equal(jpeg(pixels, 50).mul(255).round().permute(1, 2, 0).numpy(), expected)


def test_contrast_by_hand() -> None:
    pixels = torch.tensor([[[0.0, 1.0]], [[0.2, 0.2]], [[0.0, 0.4]]])
    expected = torch.tensor([[[0.25, 0.75]], [[0.2, 0.2]], [[0.1, 0.3]]])
    assert torch.allclose(apply(pixels, "contrast", 2), expected, atol=0.5 / 255 + 1e-6)


def test_noise_has_its_deviation() -> None:
    grey = torch.full((3, 200, 200), 0.5)
    for strength in (1, 3):
        changed = apply(grey, "noise", strength)
        assert (changed - grey).std().item() == pytest.approx(LARGE["noise"][strength - 1], rel=0.02)


@pytest.mark.parametrize(("kind", "strength"), [("fog", 1), ("noise", 0), ("jpeg", 6)])
def test_an_unknown_corruption_is_an_error(kind: str, strength: int) -> None:
    with pytest.raises(UsageError, match="noise, blur, contrast, jpeg with strengths 1 to 5"):
        corrupt(picture(), kind, strength)


def read(colours: Path, seed: int = 3, **changes: int) -> torch.Tensor:
    config = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "input_size": (3, 16, 16)}
    config |= {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}
    classifier = Classifier(nn.Identity(), config, None)
    loading = LoadingOptions(batch_size=4, workers=0).but(**changes)
    pictures = Pictures(load_split(str(colours)).source, classifier, loading, seed=seed)
    return torch.cat([pixels for pixels, _ in pictures.batches(corruption=Corrupt("noise", 2))])


@pytest.mark.parametrize("changes", [{"workers": 2}, {"batch_size": 7}])
def test_noise_belongs_to_the_image(colours: Path, changes: dict[str, int]) -> None:
    expected = read(colours)
    torch.manual_seed(123)
    assert torch.equal(read(colours, **changes), expected)
    assert not torch.equal(read(colours, seed=4), expected)
    clean = expected - expected.mean((2, 3), keepdim=True)
    assert not torch.allclose(clean[0], clean[1], atol=0.01)
