"""SnapMix against crops resized by torch and sums over the boxes."""

import pytest
import torch
import torch.nn.functional as nnf

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn_boxes(seed, height, width, alpha):
    """Two boxes (top, bottom, left, right): sides floor(sqrt(1 - lambda) length) about uniform centres."""
    source = generator(seed)
    sides = (1 - F.beta_variates(2, alpha, generator=source)).sqrt()
    centres = torch.rand(2, 2, generator=source)
    boxes = []
    for side, down, right in zip(sides, *centres, strict=True):
        box = []
        for length, where in ((height, down), (width, right)):
            extent = int(side * length)
            start = int(where * length) - extent // 2
            box += [max(0, start), min(length, start + extent)]
        boxes.append(tuple(box))
    return boxes


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("normalize", [False, True])
def test_a_resized_box_and_labels_by_the_evidence(seed, normalize):
    x, targets = torch.rand(5, 2, 12, 9), torch.rand(5, 4)
    evidence = torch.randn(5, 3, 3)
    evidence[4] = 2.0  # no place is better than another: shares of the area
    mixed, draw = F.snapmix(x, evidence, 3.0, normalize, generator=generator(seed))
    (top, bottom, left, right), (up, down, west, east) = drawn_boxes(seed, 12, 9, 3.0)
    assert min(bottom - top, right - left, down - up, east - west) > 0
    maps = nnf.interpolate(evidence.unsqueeze(1), (12, 9), mode="bilinear")[:, 0]

    def share(i, rows, columns):
        map = maps[i] - maps[i].min()
        if map.sum() == 0:
            map = torch.ones_like(map)
        return map[rows, columns].sum() / map.sum()

    for i, j in enumerate(draw.mask.partner.tolist()):
        expected = x[i].clone()
        size = (bottom - top, right - left)
        crop = x[j : j + 1, :, up:down, west:east]
        expected[:, top:bottom, left:right] = nnf.interpolate(
            crop, size, mode="bilinear", align_corners=True
        )[0]
        torch.testing.assert_close(mixed[i], expected)
        own = 1 - share(i, slice(top, bottom), slice(left, right))
        other = share(j, slice(up, down), slice(west, east))
        total = own + other if normalize else 1
        torch.testing.assert_close(draw.targets(targets)[i], (own * targets[i] + other * targets[j]) / total)


def test_a_box_without_pixels_mixes_nothing():
    x = torch.rand(3, 1, 2, 2)
    for seed in range(30):
        if 0 in [b - a for box in drawn_boxes(seed, 2, 2, 1.0) for a, b in (box[:2], box[2:])]:
            mixed, draw = F.snapmix(x, torch.rand(3, 1, 1), 1.0, generator=generator(seed))
            assert torch.equal(mixed, x)
            assert torch.equal(draw.targets(torch.eye(3)), torch.eye(3))
            return
    raise AssertionError("no seed drew an empty box")


@pytest.mark.parametrize("seed", range(5))
def test_values_are_mixed_by_shares_that_add_up_to_one(seed):
    """Scores of an image's parts need not: half of a value would be another value."""
    x, evidence = torch.randn(6, 3, 8, 8), torch.rand(6, 8, 8)
    _, draw = F.snapmix(x, evidence, generator=generator(seed))
    torch.testing.assert_close(draw.targets(torch.full((6, 1), 10.0)), torch.full((6, 1), 10.0))
