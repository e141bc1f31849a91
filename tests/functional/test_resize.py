"""ResizeMix against Pillow's, torch's and a slow resizing, and its boxes against theory."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from PIL import Image
from scipy import stats

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def boxes(draw, b):
    return torch.stack([part.expand(b) for part in (draw.top, draw.left, draw.height, draw.width)]).T.tolist()


def slow_resized(image, height, width):
    """Each new pixel is the mean of the old ones, weighted by a triangle over two of the new pixels."""

    def weights(old, new):
        scale = old / new
        table = [
            [max(0.0, 1 - abs(j + 0.5 - (i + 0.5) * scale) / scale) for j in range(old)] for i in range(new)
        ]
        return [[weight / sum(row) for weight in row] for row in table]

    down, across = weights(image.shape[1], height), weights(image.shape[2], width)
    result = torch.zeros(len(image), height, width, dtype=torch.float64)
    for channel in range(len(image)):
        for i in range(height):
            for j in range(width):
                result[channel, i, j] = sum(
                    down[i][y] * across[j][x] * image[channel, y, x].item()
                    for y in range(image.shape[1])
                    for x in range(image.shape[2])
                )
    return result.to(image.dtype)


def pasted(x, draw, resize):
    expected = x.clone()
    for i, (top, left, height, width) in enumerate(boxes(draw, len(x))):
        patch = resize(x[draw.partner[i]], height, width)
        expected[i, :, top : top + height, left : left + width] = patch
    return expected


def pillow_resized(image, height, width):
    channels = (Image.fromarray(channel.numpy(), mode="F") for channel in image)
    resized = [np.array(c.resize((width, height), Image.Resampling.BILINEAR)) for c in channels]
    return torch.from_numpy(np.stack(resized))


@pytest.mark.parametrize("resize", [slow_resized, pillow_resized])
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", [(9, 12), (5, 3), (8, 8)])
def test_resizemix_pastes_the_resized_partner(size, per_sample, resize):
    x = torch.rand(4, 2, *size)
    for seed in range(4):
        mixed, draw = F.resizemix(x, per_sample=per_sample, generator=generator(seed))
        assert draw.top.shape == (4 if per_sample else 1,)
        torch.testing.assert_close(mixed, pasted(x, draw, resize))


def test_resizing_is_torchs():
    """Not to a width of one: torch 2.15 is off there, by Pillow and by the formula."""
    x = torch.rand(8, 3, 17, 23)
    mixed, draw = F.resizemix(x, (0.2, 0.9), per_sample=True, generator=generator())
    expected = pasted(
        x, draw, lambda p, h, w: nnf.interpolate(p[None], (h, w), mode="bilinear", antialias=True)[0]
    )
    torch.testing.assert_close(mixed, expected)


def test_the_label_is_the_area_that_is_left():
    x, targets = torch.rand(5, 1, 9, 7), torch.eye(5)
    _, draw = F.resizemix(x, per_sample=True, generator=generator())
    for i, (_, _, height, width) in enumerate(boxes(draw, 5)):
        assert draw.lam[i].item() == pytest.approx(1 - height * width / 63)
        assert draw.keep[i].sum().item() == 63 - height * width
        expected = draw.lam[i] * targets[i] + (1 - draw.lam[i]) * targets[draw.partner[i]]
        torch.testing.assert_close(draw.targets(targets)[i], expected)


def test_a_factor_of_one_is_the_partner_and_the_smallest_patch_a_pixel():
    x = torch.rand(3, 2, 6, 5)
    mixed, draw = F.resizemix(x, (1.0, 1.0), generator=generator())
    torch.testing.assert_close(mixed, x[draw.partner])
    assert draw.lam.tolist() == [0.0]
    _, draw = F.resizemix(x, (0.0, 0.0), generator=generator())
    assert draw.lam.item() == pytest.approx(29 / 30)
    mixed, draw = F.resizemix(torch.rand(3, 2, 1, 1), generator=generator())
    assert draw.lam.tolist() == [0.0]


def test_area_has_the_mean_and_variance_of_its_formula():
    """round(16 t) round(12 t) / (16 12) for t ~ U(0.1, 0.8), by quadrature."""
    n = 20_000
    _, draw = F.resizemix(torch.zeros(n, 1, 16, 12), per_sample=True, generator=generator(1))
    t = 0.1 + 0.7 * (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    area = (16 * t).round() * (12 * t).round() / (16 * 12)
    assert 1 - draw.lam.mean().item() == pytest.approx(
        area.mean().item(), abs=5 * area.std().item() / math.sqrt(n)
    )
    assert draw.lam.var().item() == pytest.approx(area.var().item(), rel=0.05)


def test_every_place_inside_is_equally_likely():
    """Half the size of 8 x 6: corners from (0, 0) to (4, 3)."""
    _, draw = F.resizemix(torch.zeros(8_000, 1, 8, 6), (0.5, 0.5), per_sample=True, generator=generator(2))
    assert draw.height.unique().tolist() == [4]
    assert draw.width.unique().tolist() == [3]
    corners = (draw.top * 4 + draw.left).bincount(minlength=20)
    assert (draw.top.max(), draw.left.max()) == (4, 3)
    assert stats.chisquare(corners).pvalue > 1e-4


def test_gradient_reaches_both_examples():
    x = torch.rand(4, 2, 6, 6, requires_grad=True)
    mixed, _ = F.resizemix(x, (0.5, 0.5), generator=generator())
    mixed.sum().backward()
    # Nine pixels are replaced by a mean of all of the partner's: the batch's gradient sums to its outputs.
    assert x.grad.sum().item() == pytest.approx(mixed.numel(), rel=1e-5)
    assert (x.grad > 0).any(dim=1).flatten(1).sum(1).min() > 27


@pytest.mark.parametrize("tau", [(-0.1, 0.5), (0.5, 1.1), (0.6, 0.5)])
def test_what_is_said_of_mistakes(tau):
    with pytest.raises(ValueError, match=r"tau must be a pair \(low, high\) with 0 <= low <= high <= 1, got"):
        F.resizemix(torch.rand(2, 1, 4, 4), tau)
