"""The functional layer on tensors that are not images."""

import pytest
import torch

from timm_multimix import functional as F

SHAPES = {
    "tabular": (6, 13),
    "spectrogram": (6, 1, 20, 31),
    "tokens": (6, 9, 8),
    "waveform": (6, 1, 50),
    "video": (6, 3, 4, 5, 5),
    "values": (6,),
}
ANYTHING = [F.none, F.sample_pairing, F.mixup, F.multimix, F.zeta_mixup, F.multi_mixup]
MAPS = [F.cutmix, F.fmix, F.gridmix, F.smoothmix, F.resizemix]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def check(function, x):
    """Mixing is linear in the batch: one-hot batches tell the weights, and they sum to one everywhere."""
    mixed, draw = function(x, generator=generator())
    targets = draw.targets(torch.eye(len(x)))
    assert mixed.shape[1:] == x.shape[1:]
    assert len(mixed) == len(targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(len(targets)))
    torch.testing.assert_close(draw(torch.ones_like(x)), torch.ones_like(mixed))
    torch.testing.assert_close(draw(2 * x), 2 * mixed)
    return mixed, targets


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("function", ANYTHING)
def test_any_tensor_whose_first_dimension_is_the_batch(function, shape):
    x = torch.randn(shape, generator=generator(1))
    mixed, targets = check(function, x)
    if function is not F.sample_pairing:
        torch.testing.assert_close(
            mixed, (targets @ x.flatten(1)).view_as(mixed) if x.dim() > 1 else targets @ x
        )


@pytest.mark.parametrize("function", MAPS)
def test_masks_take_spectrograms(function):
    mixed, _ = check(function, torch.randn(SHAPES["spectrogram"], generator=generator(1)))
    assert len(mixed) == 6


@pytest.mark.parametrize("kind", ["tabular", "tokens", "waveform", "video"])
@pytest.mark.parametrize("function", MAPS)
def test_masks_say_what_they_take(function, kind):
    name, x = function.__name__, torch.randn(SHAPES[kind])
    with pytest.raises(
        ValueError, match=rf"{name} must be given images or feature maps \[b, ch, h, w\], got \[6, "
    ):
        function(x)


@pytest.mark.parametrize("function", ANYTHING + MAPS)
def test_dtypes_formats_and_odd_batches(function):
    for b in (1, 2, 5):
        x = torch.rand(b, 3, 7, 10)
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            mixed, _ = function(x.to(dtype), generator=generator())
            assert mixed.dtype == dtype
            plain = function(x, generator=generator())[0]
            torch.testing.assert_close(mixed.float(), plain, rtol=0.03, atol=0.03)
        if function not in (F.multimix, F.zeta_mixup):
            last = x.to(memory_format=torch.channels_last)
            assert function(last)[0].is_contiguous(memory_format=torch.channels_last)
        whole = torch.randint(256, (b, 3, 7, 10), dtype=torch.uint8)
        mixed, _ = function(whole, generator=generator())
        if function is not F.none:
            torch.testing.assert_close(mixed, function(whole.float(), generator=generator())[0])
