"""SMMix's mixing against a search over all squares."""

import pytest
import torch

from timm_multimix import functional as F
from timm_multimix.functional.smmix import extreme_squares


@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_squares_with_the_least_and_the_most_attention(size, side):
    attention = torch.rand(6, *size)
    least, most = extreme_squares(attention, torch.tensor([side]))
    for i in range(6):
        sums = {
            (r, c): float(attention[i, r : r + side, c : c + side].sum())
            for r in range(size[0] - side + 1)
            for c in range(size[1] - side + 1)
        }
        assert divmod(int(least[i]), size[1]) == min(sums, key=sums.get)
        assert divmod(int(most[i]), size[1]) == max(sums, key=sums.get)


def test_the_partners_most_attended_square_covers_the_least_attended_one():
    sides = set()
    for seed in range(12):
        x, attention, targets = torch.rand(4, 2, 12, 20), torch.rand(4, 4, 5), torch.rand(4, 3)
        mixed, draw = F.smmix(x, attention, generator=torch.Generator().manual_seed(seed))
        side = round(float((1 - draw.lam) * 20) ** 0.5)
        sides.add(side)
        least, most = extreme_squares(attention, torch.tensor([side]))
        for i, j in enumerate(draw.partner.tolist()):
            (r, c), (s, d) = divmod(int(least[i]), 5), divmod(int(most[j]), 5)
            expected = x[i].clone()
            expected[:, 3 * r : 3 * (r + side), 4 * c : 4 * (c + side)] = x[
                j, :, 3 * s : 3 * (s + side), 4 * d : 4 * (d + side)
            ]
            assert torch.equal(mixed[i], expected)
            lam = 1 - side**2 / 20
            torch.testing.assert_close(draw.targets(targets)[i], lam * targets[i] + (1 - lam) * targets[j])
    assert sides == {1, 2, 3}


def test_images_must_be_multiples_of_the_grid():
    with pytest.raises(ValueError, match="multiples of 4 x 4 tokens for smmix, got 10 x 8"):
        F.smmix(torch.rand(2, 3, 10, 8), torch.rand(2, 4, 4))
