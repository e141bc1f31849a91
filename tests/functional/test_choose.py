"""The choice of one of several draws for each example."""

import pytest
import torch
from scipy import stats

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def some_draws(b, seed=0):
    """Draws of every kind that gives a row for each example."""
    x = torch.rand(b, 2, 6, 5)
    functions = [F.none, F.sample_pairing, F.mixup, F.cutmix, F.smoothmix, F.resizemix, F.zeta_mixup]
    return x, [function.draw(x, generator=generator(seed + i)) for i, function in enumerate(functions)]


@pytest.mark.parametrize("b", [1, 2, 9, 40])
def test_each_row_is_that_of_the_chosen_draw(b):
    x, draws = some_draws(b)
    targets = torch.rand(b, 4)
    draw = F.choose_per_sample(draws, [1.0] * len(draws), b, x.device, generator(3))
    mixed, soft = draw(x), draw.targets(targets)
    for i, chosen in enumerate(draw.index.tolist()):
        assert torch.equal(mixed[i], draws[chosen](x)[i])
        assert torch.equal(soft[i], draws[chosen].targets(targets)[i])


def test_shares_are_the_weights():
    weights = [1.0, 0.5, 3.5]
    draws = [F.Identity()] * 3
    n = 20_000
    index = F.choose_per_sample(draws, weights, n, torch.device("cpu"), generator(1)).index
    expected = torch.tensor(weights, dtype=torch.float64) / 5 * n
    assert stats.chisquare(index.bincount(minlength=3).double(), expected).pvalue > 1e-4
    # Neighbours are independent: the pairs have the products of the shares.
    pairs = (index[::2] * 3 + index[1::2]).bincount(minlength=9).double()
    product = torch.outer(expected, expected).flatten() / n / 2
    assert stats.chisquare(pairs, product).pvalue > 1e-4


def test_one_draw_is_itself():
    draw = F.mixup.draw(torch.rand(4, 3))
    assert F.choose_per_sample([draw], [0.3], 4, torch.device("cpu"), None) is draw


def test_integers_beside_mixtures_become_numbers():
    x = torch.full((4, 1, 3, 3), 200, dtype=torch.uint8)
    draws = [F.none.draw(x), F.mixup.draw(x)]
    for seed in range(6):
        mixed = F.choose_per_sample(draws, [1, 1], 4, x.device, generator(seed))(x)
        assert mixed.dtype == torch.float32
        assert (mixed == 200).all()


def test_draws_with_rows_of_their_own_are_refused():
    x = torch.rand(4, 3)
    draws = [F.mixup.draw(x), F.multi_mixup.draw(x, 2)]
    with pytest.raises(
        ValueError, match="draws to choose from must return 4 rows, one for each example, got 8"
    ):
        F.choose_per_sample(draws, [1, 1], 4, x.device, None)(x)
