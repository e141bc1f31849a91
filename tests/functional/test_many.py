"""zeta-mixup and multi-mix against loops and against their distributions."""

import math

import pytest
import torch
from scipy import stats

from timm_multimix import functional as F
from timm_multimix.functional.many import ManyPairs


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def series(b, gamma):
    terms = [rank**-gamma for rank in range(1, b + 1)]
    return [term / sum(terms) for term in terms]


@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (6, 7), (1, 2), (2, 3, 1)])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.8, 30.0])
def test_zeta_mixup_is_the_formula(shape, gamma):
    x, targets, b = torch.rand(shape), torch.rand(shape[0], 3), shape[0]
    mixed, draw = F.zeta_mixup(x, gamma, generator=generator(1))
    ranks = torch.rand(b, b, generator=generator(1))
    for i in range(b):
        others = sorted((j for j in range(b) if j != i), key=lambda j: ranks[i, j].item())
        expected, soft = torch.zeros_like(x[i]), torch.zeros(3)
        for weight, j in zip(series(b, gamma), [i, *others], strict=True):
            assert draw.weights[i, j].item() == pytest.approx(weight, rel=1e-5, abs=1e-30)
            expected, soft = expected + weight * x[j], soft + weight * targets[j]
        torch.testing.assert_close(mixed[i], expected)
        torch.testing.assert_close(draw.targets(targets)[i], soft)


def test_zeta_mixups_default_keeps_the_example_above_all_others():
    """gamma = 2.8 lies above the paper's 1.72865, from which on the first term exceeds the others' sum."""
    _, draw = F.zeta_mixup(torch.zeros(64, 1), generator=generator())
    assert (draw.weights.diagonal() > 0.5).all()
    _, draw = F.zeta_mixup(torch.zeros(1024, 1), 1.72865, generator=generator())
    assert draw.weights.diagonal().min().item() == pytest.approx(0.5, abs=3e-3)


def test_zeta_mixup_gives_the_others_every_rank_equally_often():
    """Off the diagonal: mean (1 - w_1) / (b - 1), and each of the smaller terms a quarter of the time."""
    b, n, terms = 5, 1_500, series(5, 2.8)
    weights = torch.stack(
        [F.zeta_mixup(torch.zeros(b, 1), generator=generator(s))[1].weights for s in range(n)]
    )
    off = weights[:, ~torch.eye(b, dtype=torch.bool)]
    spread = math.sqrt(sum(w**2 for w in terms[1:]) / 4 - ((1 - terms[0]) / 4) ** 2)
    assert (off.mean(0) - (1 - terms[0]) / 4).abs().max().item() < 5 * spread / math.sqrt(n)
    assert (off.var(0) / spread**2 - 1).abs().max().item() < 0.2
    nearest = (off.unsqueeze(-1) - torch.tensor(terms[1:])).abs().argmin(-1)
    for position in range(off.shape[1]):
        assert stats.chisquare(nearest[:, position].bincount(minlength=4)).pvalue > 1e-5


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 7), (1, 2), (3,)])
def test_multi_mixup_is_the_formula(shape, per_sample):
    x, targets, b, k = torch.rand(shape), torch.rand(shape[0], 6), shape[0], 3
    mixed, draw = F.multi_mixup(x, k, 0.8, per_sample, generator=generator())
    soft = draw.targets(targets)
    assert len(mixed) == len(soft) == k * b
    assert sorted(draw.partner.tolist()) == list(range(b))
    for j in range(k):
        for i in range(b):
            lam, partner = draw.lam.expand(k, b)[j, i], draw.partner[i]
            torch.testing.assert_close(mixed[j * b + i], lam * x[i] + (1 - lam) * x[partner])
            torch.testing.assert_close(soft[j * b + i], lam * targets[i] + (1 - lam) * targets[partner])


def test_multi_mixup_of_one_interpolation_is_mixup():
    x = torch.rand(6, 3, 4, 4)
    for per_sample in (False, True):
        ours = F.multi_mixup(x, 1, 0.7, per_sample, generator=generator(4))[0]
        torch.testing.assert_close(ours, F.mixup(x, 0.7, per_sample, generator=generator(4))[0])


def test_multi_mixups_lambdas_are_independent_beta_variates():
    n, alpha, k = 20_000, 0.5, 3
    _, draw = F.multi_mixup(torch.zeros(n), k, alpha, per_sample=True, generator=generator(2))
    for row in draw.lam:
        assert stats.kstest(row.double(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4
    correlation = torch.corrcoef(draw.lam) - torch.eye(k)
    assert correlation.abs().max().item() < 5 / math.sqrt(n)


def test_the_gradient_of_multi_mixup_varies_less_than_that_of_mixup():
    """Pairs being equal, the mean over k lambdas has 1/k of their variance, as the paper derives."""
    x = torch.tensor([[0.0], [1.0]])
    partner = torch.tensor([1, 0])

    def variance(k):
        values = []
        for seed in range(1_500):
            _, draw = F.multi_mixup(x, k, generator=generator(seed))
            values.append(ManyPairs(draw.lam, partner)(x).view(k, 2)[:, 1].mean())
        return torch.stack(values).var().item()

    assert variance(5) == pytest.approx(variance(1) / 5, rel=0.2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: F.zeta_mixup(x, -1.0), "gamma must be .* got -1.0"),
        (lambda x: F.zeta_mixup(x, math.inf), "gamma must be .* got inf"),
        (lambda x: F.multi_mixup(x, 0), "k must be an integer of at least 1, got 0"),
        (lambda x: F.multi_mixup(x, 2, -1.0), "alpha must be .* got -1.0"),
    ],
)
def test_what_is_said_of_mistakes(call, said):
    with pytest.raises(ValueError, match=said):
        call(torch.rand(2, 3))
