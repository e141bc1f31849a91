"""FMix, GridMix and SmoothMix against loops over pixels, and their masks against theory."""

import cmath
import math

import pytest
import torch
from scipy import stats

from timm_multimix import functional as F
from timm_multimix.functional.masks import _low_frequencies

FUNCTIONS = [F.fmix, F.gridmix, F.smoothmix]
SIZES = [(6, 9), (7, 4), (1, 5), (8, 8)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_mixed(x, keep, partner):
    """keep x + (1 - keep) x_partner, one value at a time."""
    mixed = torch.empty_like(x)
    keep = keep.double().expand(len(x), *keep.shape[1:])
    for i, channel, row, column in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        weight = keep[i, 0, row, column].item()
        own, other = x[i, channel, row, column].item(), x[partner[i], channel, row, column].item()
        mixed[i, channel, row, column] = weight * own + (1 - weight) * other
    return mixed


def slow_picture(noise, height, width, decay):
    """The real inverse Fourier transform of noise / frequency^decay, by its sums."""

    def frequency(index, length):
        return (index if index < (length + 1) // 2 else index - length) / length

    lowest, columns = 1 / max(height, width), width // 2 + 1
    spectrum = [
        [
            complex(*noise[u, v].tolist())
            * max(math.hypot(frequency(u, height), v / width), lowest) ** -decay
            for v in range(columns)
        ]
        for u in range(height)
    ]
    picture = torch.zeros(height, width, dtype=torch.float64)
    for y in range(height):
        for v in range(columns):
            along = sum(spectrum[u][v] * cmath.exp(2j * math.pi * u * y / height) for u in range(height))
            twice = 1 if v == 0 or 2 * v == width else 2
            for x in range(width):
                wave = along * cmath.exp(2j * math.pi * v * x / width)
                picture[y, x] += twice * wave.real / (height * width)
    return picture


def slow_highest(scores, share, uniform):
    """The floor(share n + uniform) highest of n scores."""
    number = math.floor(share * len(scores) + uniform)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return [i in order[:number] for i in range(len(scores))]


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_fmix_is_the_formula(size, per_sample):
    x, (height, width), again = torch.rand(3, 2, *size), size, generator(3)
    mixed, draw = F.fmix(x, 0.7, 2.5, per_sample, generator=generator(3))
    count = 3 if per_sample else 1
    lam = F.beta_variates(count, 0.7, generator=again)
    noise = torch.randn(count, height, width // 2 + 1, 2, generator=again)
    uniform = torch.rand(count, generator=again)
    for i in range(count):
        picture = slow_picture(noise[i], height, width, 2.5).flatten().tolist()
        expected = slow_highest(picture, lam[i].item(), uniform[i].item())
        assert draw.keep[i].flatten().tolist() == expected
        assert draw.lam[i].item() == pytest.approx(sum(expected) / (height * width))
    torch.testing.assert_close(mixed, slow_mixed(x, draw.keep, draw.partner))


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_gridmix_is_the_formula(size, per_sample):
    x, (height, width), again = torch.rand(3, 2, *size), size, generator(5)
    mixed, draw = F.gridmix(x, 0.7, 3, per_sample, generator=generator(5))
    count = 3 if per_sample else 1
    lam = F.beta_variates(count, 0.7, generator=again)
    order, uniform = torch.rand(count, 9, generator=again), torch.rand(count, generator=again)
    for i in range(count):
        cells = slow_highest(order[i].tolist(), lam[i].item(), uniform[i].item())
        for row in range(height):
            for column in range(width):
                cell = 3 * math.floor(3 * row / height) + math.floor(3 * column / width)
                assert draw.keep[i, 0, row, column].item() == cells[cell]
        assert draw.lam[i].item() == pytest.approx(draw.keep[i].double().mean().item())
    torch.testing.assert_close(mixed, slow_mixed(x, draw.keep, draw.partner))


@pytest.mark.parametrize("shape", ["circle", "square"])
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_smoothmix_is_the_formula(size, per_sample, shape):
    x, (height, width), again = torch.rand(3, 2, *size), size, generator(7)
    mixed, draw = F.smoothmix(x, (0.2, 0.9), shape, per_sample, generator=generator(7))
    count = 3 if per_sample else 1
    uniform = torch.rand(3, count, generator=again).double()
    for i in range(count):
        spread = (0.2 + 0.7 * uniform[2, i].item()) * min(size)
        for row in range(height):
            for column in range(width):
                down = row + 0.5 - uniform[0, i].item() * height
                across = column + 0.5 - uniform[1, i].item() * width
                distance = math.hypot(down, across) if shape == "circle" else max(abs(down), abs(across))
                weight = math.exp(-(distance**2) / (2 * spread**2))
                assert draw.keep[i, 0, row, column].item() == pytest.approx(1 - weight, abs=1e-5)
        assert draw.lam[i].item() == pytest.approx(draw.keep[i].double().mean().item(), abs=1e-6)
    torch.testing.assert_close(mixed, slow_mixed(x, draw.keep, draw.partner))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_targets_are_weighted_by_the_share_of_the_mask(function):
    targets = torch.eye(5)
    _, draw = function(torch.rand(5, 1, 6, 6), per_sample=True, generator=generator())
    for i, row in enumerate(draw.targets(targets)):
        share = draw.keep[i].double().mean()
        expected = share * targets[i] + (1 - share) * targets[draw.partner[i]]
        torch.testing.assert_close(row, expected.float())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_mask_for_the_batch_or_one_per_sample(function):
    x = torch.rand(6, 1, 8, 8)
    assert function(x, generator=generator())[1].keep.shape == (1, 1, 8, 8)
    keep = function(x, per_sample=True, generator=generator())[1].keep
    assert keep.shape == (6, 1, 8, 8)
    assert len({tuple(mask.flatten().tolist()) for mask in keep}) > 3


@pytest.mark.parametrize("function", [F.fmix, F.gridmix])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_area_has_the_moments_of_beta(function, alpha):
    """Mean 1/2 whatever the rounding; its variance adds at most 1/4 of a squared pixel or cell."""
    n, parts = 6_000, 64 if function is F.fmix else 16
    _, draw = function(torch.zeros(n, 1, 8, 8), alpha, per_sample=True, generator=generator(1))
    variance = 1 / (4 * (2 * alpha + 1))
    assert draw.lam.mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(variance / n))
    assert 0.93 * variance < draw.lam.var().item() < 1.07 * (variance + 0.25 / parts**2)
    everywhere = draw.keep.float().mean(0)
    assert (everywhere - 0.5).abs().max().item() < 5 * 0.5 / math.sqrt(n)


def test_gridmix_keeps_every_number_of_cells_as_often_as_it_should():
    """floor(16 U + U'): 1/16 each from 1 to 15, and half of that at the ends."""
    _, draw = F.gridmix(torch.zeros(8_000, 1, 4, 4), per_sample=True, generator=generator(2))
    counts = draw.keep.sum((1, 2, 3)).bincount(minlength=17).double()
    expected = torch.full((17,), 8_000 / 16)
    expected[[0, 16]] /= 2
    assert stats.chisquare(counts, expected.double()).pvalue > 1e-4


def test_the_ends_of_alpha():
    """alpha = 0 keeps all or nothing; a large alpha keeps half."""
    x = torch.zeros(40, 1, 8, 8)
    for function in (F.fmix, F.gridmix):
        ends = function(x, 0.0, per_sample=True, generator=generator())[1].lam
        assert set(ends.tolist()) == {0.0, 1.0}
        half = function(x, 1e6, per_sample=True, generator=generator())[1].lam
        assert (half - 0.5).abs().max() < 0.07


@pytest.mark.parametrize("decay", [0.0, 1.0, 3.0])
def test_fmix_spectrum_falls_with_the_power_of_the_frequency(decay):
    """E |S(f)|^2 = 2 max(8 f, 1)^(-2 decay) at all frequencies that are not their own conjugates."""
    n, height, width = 4_000, 6, 8
    pictures = _low_frequencies(n, height, width, decay, torch.device("cpu"), generator(3))
    power = torch.fft.rfft2(pictures).abs().square().mean(0)[:, 1:-1]
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, 1:-1])
    expected = 2 * (8 * frequency).clamp_min(1) ** (-2 * decay)
    # |S|^2 is exponential: its standard deviation is its mean.
    assert (power / expected - 1).abs().max().item() < 5 / math.sqrt(n)


def test_fmix_decay_makes_blobs():
    """Neighbours agree more often the faster the spectrum falls."""
    agreement = []
    for decay in (0.0, 1.0, 3.0):
        keep = F.fmix(torch.zeros(50, 1, 32, 32), 1e6, decay, True, generator=generator())[1].keep
        agreement.append((keep[..., 1:] == keep[..., :-1]).float().mean().item())
    assert agreement[0] == pytest.approx(0.5, abs=0.02)
    assert agreement[0] + 0.1 < agreement[1] < agreement[2] - 0.05
    assert agreement[2] > 0.9


@pytest.mark.parametrize("size", [(8, 8), (6, 12)])
def test_smoothmix_label_has_the_mean_of_its_formula(size):
    """E[1 - lambda]: exp(-d^2 / 2 s^2) is a product over the axes, integrated over centres and widths."""
    n, (height, width) = 6_000, size
    _, draw = F.smoothmix(torch.zeros(n, 1, *size), per_sample=True, generator=generator(4))
    centre = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    widths = 0.25 + 0.25 * centre

    def along(length):
        pixel = torch.arange(length, dtype=torch.float64) + 0.5
        distance = pixel[:, None, None] - centre[None, :, None] * length
        return torch.exp(-(distance**2) / (2 * (widths * min(size)) ** 2)).mean((0, 1))

    expected = (along(height) * along(width)).mean().item()
    error = 5 * draw.lam.std().item() / math.sqrt(n)
    assert 1 - draw.lam.mean().item() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: F.fmix(x, decay=-1), "decay must be .* got -1"),
        (lambda x: F.fmix(x, alpha=-1), "alpha must be .* got -1"),
        (lambda x: F.gridmix(x, cells=0), "cells must be .* got 0"),
        (lambda x: F.smoothmix(x, sigma=(0, 1)), "0 < low"),
        (lambda x: F.smoothmix(x, shape="star"), "circle, square"),
    ],
)
def test_what_is_said_of_mistakes(call, said):
    with pytest.raises(ValueError, match=said):
        call(torch.rand(2, 1, 4, 4))


def test_fmix_draws_blobs_whatever_the_power():
    keep = [
        F.fmix(torch.rand(2, 3, 64, 64), 1e6, 40.0, generator=generator(seed))[1].keep for seed in range(8)
    ]
    assert len({tuple(each[0, 0, :, 0].tolist()) for each in keep}) > 4
