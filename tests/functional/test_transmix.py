"""TransMix and TokenMix against loops written from the papers' formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from timm_multimix import functional as F
from timm_multimix.functional.transmix import block_mask


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("area", [0.0, 0.5])
@pytest.mark.parametrize("per_sample", [False, True])
def test_attended_is_the_attention_on_what_was_kept(per_sample, area):
    draw = F.cutmix.draw(torch.zeros(6, 3, 12, 12), per_sample=per_sample, generator=generator(1))
    attention = torch.rand(6, 4, 4)
    lam = F.attended(draw, attention, area).lam
    for i in range(6):
        keep = draw.keep.expand(6, 1, 12, 12)[i, 0]
        small = torch.nn.functional.interpolate(keep[None, None].float(), (4, 4), mode="nearest")[0, 0]
        kept = sum(attention[i, r, c] * small[r, c] for r in range(4) for c in range(4)) / attention[i].sum()
        expected = area * draw.lam.expand(6)[i] + (1 - area) * kept
        torch.testing.assert_close(lam[i], expected)


def test_even_attention_is_the_area():
    """On a mask that the tokens' grid resolves, TransMix without attention is CutMix."""
    keep = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    keep[:, :, :4, 2:6] = False
    draw = F.Masks(keep, torch.tensor([0.75]), torch.tensor([1, 0]))
    torch.testing.assert_close(F.attended(draw, torch.ones(2, 4, 4)).lam, torch.tensor([0.75, 0.75]))


@pytest.mark.parametrize("size", [(14, 14), (2, 2), (7, 10), (1, 5)])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 1.0])
def test_block_masks_cover_the_share_exactly(size, ratio):
    for seed in range(10):
        mask = block_mask(*size, ratio, 14, torch.device("cpu"), generator(seed))
        assert mask.shape == size
        assert mask.sum().item() == round(ratio * size[0] * size[1])


def slow_block_mask(rng, count, side=14):
    """Blocks of any size up to what is left, one after the other, as in the authors' code."""
    mask, left = np.zeros((side, side), dtype=bool), count
    while left > 0:
        for _ in range(10):
            area, stretch = rng.uniform(1, left), math.exp(rng.uniform(math.log(0.3), -math.log(0.3)))
            height, width = round(math.sqrt(area * stretch)), round(math.sqrt(area / stretch))
            if height < side and width < side:
                top, start = rng.integers(side - height + 1), rng.integers(side - width + 1)
                block = np.zeros_like(mask)
                block[top : top + height, start : start + width] = True
                fresh = (block & ~mask).sum()
                if 0 < fresh <= left:
                    mask |= block
                    left -= fresh
                    break
        else:
            break
    return mask


def shape_of(mask):
    """Tokens, connected parts and the length of the border between replaced and kept tokens."""
    border = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
    return mask.sum(), label(mask)[1], border


def test_by_default_tokenmix_replaces_what_the_authors_code_does():
    """112 of 14 x 14 tokens, half and 14 more, in as many parts and with as long a border on average."""
    x, activation, runs = torch.zeros(1, 1, 14, 14), torch.rand(1, 14, 14), 400
    ours = [
        ~F.tokenmix.draw(x, activation, generator=generator(k)).mask.keep[0, 0].numpy() for k in range(runs)
    ]
    rng = np.random.default_rng(0)
    theirs = [slow_block_mask(rng, 112) for _ in range(runs)]
    ours, theirs = (np.array([shape_of(mask) for mask in masks]) for masks in (ours, theirs))
    assert (ours[:, 0] == 112).all()
    error = 4 * np.sqrt((ours.var(0) + theirs.var(0)) / runs)
    # What few proposals have left over is filled singly, which theirs leaves: 0.3 tokens, parts and 2 edges.
    assert (abs(ours.mean(0) - theirs.mean(0)) <= error + np.array([0.3, 0.3, 2.0])).all()


def test_block_masks_are_blocks_that_reach_every_token():
    """Fewer neighbours differ than of tokens drawn singly (half of all); corners are rarer, as in BEiT."""
    masks = torch.stack(
        [block_mask(14, 14, 0.5, 14, torch.device("cpu"), generator(s)) for s in range(100)]
    ).float()
    differ = (masks[:, 1:] != masks[:, :-1]).float().mean()
    assert differ < 0.3
    share = masks.mean(0)
    assert share.min() > 0.02
    assert share.max() < 0.9
    for turned in (share.flip(0), share.flip(1), share.T):
        assert (share - turned).abs().mean() < 2 * math.sqrt(2 * 0.25 / 100)
    assert share.mean().item() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("normalize", [False, True])
def test_tokenmix_scores_by_the_activation_in_the_mix(normalize):
    x, activation, targets = torch.rand(5, 3, 8, 8), torch.rand(5, 4, 4), torch.rand(5, 6)
    mixed, draw = F.tokenmix(x, activation, 0.5, 2, normalize, generator=generator(2))
    keep = draw.mask.keep[0, 0, ::2, ::2]
    assert keep.sum() == 8
    result = draw.targets(targets)
    for i, j in enumerate(draw.mask.partner.tolist()):
        own = sum(activation[i, r, c] for r in range(4) for c in range(4) if keep[r, c]) / activation[i].sum()
        other = sum(activation[j, r, c] for r in range(4) for c in range(4) if not keep[r, c])
        other = other / activation[j].sum()
        total = own + other if normalize else 1
        torch.testing.assert_close(result[i], (own * targets[i] + other * targets[j]) / total)
        whole = keep.repeat_interleave(2, 0).repeat_interleave(2, 1)
        torch.testing.assert_close(mixed[i], torch.where(whole, x[i], x[j]), rtol=0, atol=0)


def test_tokenmix_scores_add_up_to_one_on_average():
    x, activation = torch.zeros(2_000, 1, 4, 4), torch.rand(2_000, 4, 4, generator=generator()) ** 4
    _, draw = F.tokenmix(x, activation, generator=generator())
    total = draw.own + draw.other
    assert total.std() > 0.05
    assert total.mean().item() == pytest.approx(1, abs=1e-3)


def test_no_activation_gives_no_score_and_no_nan():
    _, draw = F.tokenmix(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4))
    assert torch.equal(draw.targets(torch.ones(2, 3)), torch.zeros(2, 3))


def test_a_wrong_share_says_what_is_allowed():
    with pytest.raises(ValueError, match=r"ratio must be a number from 0 to 1, got 1\.5"):
        F.tokenmix(torch.zeros(2, 1, 4, 4), torch.ones(2, 4, 4), 1.5)
