"""MixPro: MaskMix's grid and progressive attention labeling against loops."""

import math

import pytest
import torch

from timm_multimix import functional as F
from timm_multimix.functional.mixpro import progressive


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("patch", "rows", "columns"), [(4, 2, 3), (5, 2, 2), (None, 4, 5), (8, 1, 2)])
def test_maskmix_keeps_whole_cells_of_a_grid(patch, rows, columns):
    x, targets = torch.rand(30, 2, 8, 10), torch.rand(30, 3)
    mixed, draw = F.maskmix(x, 1.0, patch, generator=generator(1))
    lam = float(F.beta_variates(1, 1.0, generator=generator(1)))
    side = patch or round(8 * 2 / 7)
    masks = set()
    for i, j in enumerate(draw.partner.tolist()):
        kept = []
        for r in range(rows):
            for c in range(columns):
                cell = draw.keep[i, 0, r * side : (r + 1) * side, c * side : (c + 1) * side]
                assert cell.all() or not cell.any()
                kept.append(bool(cell.any()))
        assert sum(kept) == math.ceil(lam * rows * columns)
        masks.add(tuple(kept))
        torch.testing.assert_close(mixed[i], torch.where(draw.keep[i], x[i], x[j]), rtol=0, atol=0)
        share = draw.keep[i].float().mean()
        torch.testing.assert_close(draw.targets(targets)[i], share * targets[i] + (1 - share) * targets[j])
    assert len(masks) > 1 or all(all(mask) for mask in masks)


def test_labels_trust_attention_as_far_as_the_prediction_agrees():
    draw = F.maskmix.draw(torch.zeros(5, 1, 8, 8), patch=2, generator=generator(2))
    attention, logits, targets = torch.rand(5, 4, 4), torch.randn(5, 3), torch.eye(3)[[0, 1, 2, 0, 1]]
    found = progressive(draw, attention, logits, targets)
    for i, j in enumerate(draw.partner.tolist()):
        keep = draw.keep[i, 0, ::2, ::2]
        by_attention = (
            sum(attention[i, r, c] for r in range(4) for c in range(4) if keep[r, c]) / attention[i].sum()
        )
        area = keep.float().mean()
        label = area * targets[i] + (1 - area) * targets[j]
        predicted = logits[i].softmax(0)
        trust = (label @ predicted) / (label.norm() * predicted.norm())
        torch.testing.assert_close(found.lam[i], trust * by_attention + (1 - trust) * area)
