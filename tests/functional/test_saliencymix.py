"""Saliency maps, SaliencyMix and Attentive CutMix against loops written from the papers."""

import cmath
import itertools
import math

import pytest
import torch
from sklearn.datasets import load_sample_image

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_saliency_box(lam, peak, height, width):
    """floor(sqrt(1 - lambda) side) cells a side about the peak, clipped: true where the partner is pasted."""
    box = torch.zeros(height, width, dtype=torch.bool)
    tall, wide = (int(math.sqrt(1 - lam) * side) for side in (height, width))
    for row in range(peak[0] - tall // 2, peak[0] - tall // 2 + tall):
        for column in range(peak[1] - wide // 2, peak[1] - wide // 2 + wide):
            if 0 <= row < height and 0 <= column < width:
                box[row, column] = True
    return box


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (32, 32)])
def test_saliencymix_pastes_a_box_about_the_partners_peak(size, per_sample):
    x, saliency = torch.rand(7, 3, *size), torch.rand(7, *size)
    mixed, draw = F.saliencymix(x, saliency, 1.0, per_sample, generator=generator())
    lam = F.beta_variates(7 if per_sample else 1, 1.0, generator=generator()).double().expand(7)
    for i, j in enumerate(draw.partner.tolist()):
        peak = divmod(saliency[j].argmax().item(), size[1])
        box = slow_saliency_box(lam[i].item(), peak, *size)
        torch.testing.assert_close(mixed[i], torch.where(box, x[j], x[i]), rtol=0, atol=0)
        assert draw.lam[i].item() == pytest.approx(1 - box.float().mean().item(), abs=1e-6)
    targets = torch.eye(7)
    expected = draw.lam.unsqueeze(1) * targets + (1 - draw.lam).unsqueeze(1) * targets[draw.partner]
    torch.testing.assert_close(draw.targets(targets), expected)


def test_boxes_at_central_peaks_have_the_area_of_lambda():
    """Peak in the middle, nothing clipped: E[1 - lambda] = 1/2 and variance 1/12, less what floor takes."""
    x, saliency = torch.zeros(4_000, 1, 101, 101), torch.zeros(4_000, 101, 101)
    saliency[:, 50, 50] = 1
    _, draw = F.saliencymix(x, saliency, per_sample=True, generator=generator())
    area = 1 - draw.lam
    assert area.mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(1 / 12 / 4_000) + 2 / 3 / 101)
    assert area.var().item() == pytest.approx(1 / 12, rel=0.07)


def test_saliency_must_fit():
    with pytest.raises(ValueError, match=r"saliency must be \[2, 8, 8\], got \[2, 4, 4\]"):
        F.saliencymix(torch.rand(2, 3, 8, 8), torch.rand(2, 4, 4))


def slow_spectral_residual(grey):
    """Hou and Zhang, equations 3 to 5, by sums over all pixels and frequencies."""
    h, w = grey.shape
    frequencies = [(u, v) for u in range(h) for v in range(w)]
    spectrum = {
        (u, v): sum(
            grey[y, x].item() * cmath.exp(-2j * math.pi * (u * y / h + v * x / w))
            for y in range(h)
            for x in range(w)
        )
        for u, v in frequencies
    }
    log = {f: math.log(abs(value) + 1e-8) for f, value in spectrum.items()}
    residual = {}
    for u, v in frequencies:
        near = [
            log[min(max(u + i, 0), h - 1), min(max(v + j, 0), w - 1)] for i in (-1, 0, 1) for j in (-1, 0, 1)
        ]
        residual[u, v] = cmath.exp(log[u, v] - sum(near) / 9 + 1j * cmath.phase(spectrum[u, v]))
    picture = torch.zeros(h, w, dtype=torch.float64)
    for y in range(h):
        for x in range(w):
            terms = (r * cmath.exp(2j * math.pi * (u * y / h + v * x / w)) for (u, v), r in residual.items())
            picture[y, x] = abs(sum(terms) / (h * w)) ** 2
    bell = {k: math.exp(-(k**2) / (2 * 2.5**2)) for k in range(-8, 9)}
    total = sum(bell.values())
    smooth = torch.zeros(h, w, dtype=torch.float64)
    for y in range(h):
        for x in range(w):
            smooth[y, x] = sum(
                bell[i] * bell[j] / total**2 * picture[y + i, x + j]
                for i in bell
                for j in bell
                if 0 <= y + i < h and 0 <= x + j < w
            )
    return smooth


def test_spectral_residual_is_the_formula():
    images = torch.rand(2, 3, 5, 6, generator=generator())
    expected = torch.stack([slow_spectral_residual(image.double().mean(0)) for image in images])
    torch.testing.assert_close(F.spectral_residual(images).double(), expected, rtol=1e-3, atol=1e-4)


def test_contrast_to_the_surroundings_is_salient():
    """Noise with one brighter blot: the peak is at the blot, at sizes with and without shrinking."""
    for seed in range(5):
        for side in (32, 64, 160):
            image = 0.2 * torch.rand(1, 3, side, side, generator=generator(seed))
            top, left, blot = side // 4, side // 2, side // 8
            image[:, :, top : top + blot, left : left + blot] += 0.8
            row, column = divmod(F.spectral_residual(image).flatten(1).argmax().item(), side)
            assert abs(row - top - blot / 2) <= blot
            assert abs(column - left - blot / 2) <= blot


def crops_of(photograph, side):
    """A photograph [h, w, 3] of 8 bits as crops [k, 3, side, side] beside one another."""
    picture = torch.tensor(photograph).permute(2, 0, 1) / 255
    return picture.unfold(1, side, side).unfold(2, side, side).flatten(1, 2).transpose(0, 1)


def share_at_the_border(places, side):
    """How many of these places [k] of images of side x side pixels are within a tenth of it from an edge."""
    rows, columns = places // side, places % side
    nearest = torch.stack([rows, side - 1 - rows, columns, side - 1 - columns]).amin(0)
    return (nearest < side // 10).float().mean().item()


def test_the_border_of_photographs_is_not_salient_as_such():
    """Crops have no subject in the middle: a third of the pixels, and of the peaks, is at the border.

    Slopes of brightness, of which the flower's background is made, leave more at the edges of the copies.
    """
    side = 32
    uniform = share_at_the_border(torch.arange(side**2), side)
    shares = {}
    for name in ("china.jpg", "flower.jpg"):
        crops = crops_of(load_sample_image(name), side)
        assert len(crops) == 260
        shares[name] = share_at_the_border(F.spectral_residual(crops).flatten(1).argmax(1), side)
    assert shares["china.jpg"] == pytest.approx(uniform, abs=0.08)
    assert shares["flower.jpg"] < 0.8


@pytest.mark.parametrize("side", [32, 64, 160])
def test_a_bright_disc_is_salient_wherever_it_lies(side):
    radius, place = side / 10, torch.arange(side)
    for row, column in itertools.product((0.25, 0.5, 0.75), repeat=2):
        distance = (place.view(-1, 1) - row * side) ** 2 + (place - column * side) ** 2
        image = 0.1 * torch.rand(1, 3, side, side, generator=generator()) + (distance <= radius**2)
        peak = divmod(F.spectral_residual(image).flatten(1).argmax().item(), side)
        assert math.dist(peak, (row * side, column * side)) <= 1.5 * radius


def test_gradient_saliency_is_the_root_mean_square():
    gradient = torch.randn(2, 3, 4, 5)
    expected = torch.stack([torch.linalg.vector_norm(g, dim=0) / math.sqrt(3) for g in gradient])
    torch.testing.assert_close(F.gradient_saliency(gradient), expected)


@pytest.mark.parametrize(("side", "grid", "top_k"), [(14, 7, 6), (8, 4, 1), (10, 7, 49)])
def test_attentivemix_pastes_the_partners_best_cells(side, grid, top_k):
    x, attention = torch.rand(5, 3, side, side), torch.rand(5, grid, grid)
    mixed, draw = F.attentivemix(x, attention, top_k, grid, generator=generator())
    for i, j in enumerate(draw.partner.tolist()):
        best = sorted((attention[j, r, c].item(), r, c) for r in range(grid) for c in range(grid))[-top_k:]
        cells = {(r, c) for _, r, c in best}
        pasted = torch.tensor(
            [[(r * grid // side, c * grid // side) in cells for c in range(side)] for r in range(side)]
        )
        torch.testing.assert_close(mixed[i], torch.where(pasted, x[j], x[i]), rtol=0, atol=0)
        assert draw.lam[i].item() == pytest.approx(1 - pasted.float().mean().item(), abs=1e-6)
    if side % grid == 0:
        torch.testing.assert_close(draw.lam, torch.full((5,), 1 - top_k / grid**2))


def test_cells_of_equal_attention_are_all_taken_as_often():
    x = torch.zeros(2_000, 1, 4, 4)
    _, draw = F.attentivemix(x, torch.ones(2_000, 2, 2), 1, 4, generator=generator())
    taken = (~draw.keep).float().mean(0).flatten()
    assert taken.sum().item() == pytest.approx(1, abs=1e-5)
    assert (taken - 1 / 16).abs().max().item() < 5 * math.sqrt(1 / 16 / 2_000)


def test_wrong_grids_say_what_is_allowed():
    x, attention = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 3)
    with pytest.raises(ValueError, match=r"top_k must be 1 to 49 for a grid of 7, got 50"):
        F.attentivemix(x, attention, 50)
    with pytest.raises(ValueError, match="grid must be at most 6 for images of 6 x 6, got 7"):
        F.attentivemix(x, attention)


def test_spectral_residual_wants_images():
    with pytest.raises(
        ValueError, match=r"images must be \[b, ch, h, w\] for spectral saliency, got \[4, 3\]"
    ):
        F.spectral_residual(torch.zeros(4, 3))
