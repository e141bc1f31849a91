"""GuidedMixup against loops and torchvision's blur."""

import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from timm_multimix import functional as F
from timm_multimix.functional.guided_mixup import farthest_cycle


def slow_cycle(points):
    """Greedy pairing: begin with the farthest pair, then take the farthest one that is left."""
    b = len(points)
    distance = [[float((p - q).norm()) for q in points] for p in points]
    first, following = max(
        ((i, j) for i in range(b) for j in range(b) if i != j), key=lambda pair: distance[pair[0]][pair[1]]
    )
    partner, left = {first: following}, set(range(b)) - {first, following}
    place = following
    while left:
        following = max(left, key=lambda j: distance[place][j])
        partner[place] = following
        left.remove(following)
        place = following
    partner[place] = first
    return [partner[i] for i in range(b)]


@pytest.mark.parametrize("b", [2, 3, 9])
def test_pairs_are_one_cycle_of_farthest_points(b):
    points = torch.rand(b, 5, generator=torch.Generator().manual_seed(b))
    assert farthest_cycle(points).tolist() == slow_cycle(points)


def test_pixels_are_blended_by_their_shares_of_the_saliency():
    x, saliency, targets = torch.rand(5, 3, 9, 12), torch.rand(5, 9, 12) ** 6, torch.rand(5, 4)
    mixed, draw = F.guided_mixup(x, saliency)
    smooth = gaussian_blur(saliency.unsqueeze(1), [7, 7], [3.0, 3.0])[:, 0]
    share = torch.stack([each / each.sum() for each in smooth])
    assert draw.partner.tolist() == slow_cycle(list(share.flatten(1)))
    for i, j in enumerate(draw.partner.tolist()):
        weight = share[i] / (share[i] + share[j])
        torch.testing.assert_close(mixed[i], weight * x[i] + (1 - weight) * x[j])
        lam = weight.mean()
        torch.testing.assert_close(draw.targets(targets)[i], lam * targets[i] + (1 - lam) * targets[j])


def test_where_nothing_is_salient_both_are_equal():
    _, draw = F.guided_mixup(torch.rand(3, 1, 8, 8), torch.zeros(3, 8, 8))
    torch.testing.assert_close(draw.lam, torch.full((3,), 0.5))
    assert F.guided_mixup.draw(torch.rand(1, 1, 2, 2), torch.rand(1, 2, 2)).partner.tolist() == [0]
    with pytest.raises(ValueError, match=r"saliency must be \[3, 8, 8\], got \[3, 4, 4\]"):
        F.guided_mixup(torch.rand(3, 1, 8, 8), torch.rand(3, 4, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_is_computed_in_float32_under_autocast(dtype):
    x, saliency = torch.rand(6, 3, 32, 32), 1e-8 * torch.rand(6, 32, 32) ** 8
    expected = F.guided_mixup.draw(x, saliency)
    with torch.autocast("cpu", dtype):
        found, map_of_images = F.guided_mixup.draw(x, saliency), F.spectral_residual(x)
    for name in ("keep", "lam", "partner"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=0)
    torch.testing.assert_close(map_of_images, F.spectral_residual(x), rtol=0, atol=0)
