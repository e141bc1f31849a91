"""Beta and Dirichlet variates against SciPy's distributions and their limits."""

import math
from functools import partial

import pytest
import torch
from scipy import stats

from timm_multimix.functional import (
    anisotropic_weights,
    beta_variates,
    dirichlet_weights,
    log_gamma_variates,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5, 1.0, 2.0, 50.0])
def test_beta_follows_its_distribution(alpha):
    drawn = beta_variates(20_000, alpha, generator=generator()).double()
    # Below float32's resolution near 0 and 1 the continuous test does not apply: compare the middle.
    for x in (1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6):
        expected = stats.beta(alpha, alpha).cdf(x)
        error = 4.5 * math.sqrt(max(expected * (1 - expected), 1e-4) / 20_000)
        assert (drawn <= x).double().mean().item() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("alpha", [0.0, 1e-8, 1e-3])
def test_beta_of_small_alpha_is_zero_or_one(alpha):
    drawn = beta_variates(10_000, alpha, generator=generator())
    extreme = (drawn < 1e-3) | (drawn > 1 - 1e-3)
    assert extreme.float().mean() > 0.98
    assert not (drawn == 0.5).any()
    assert drawn.round().mean().item() == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize(
    ("count", "given"),
    [(500, 1), (300_000, 300_000), (300_000, 1)],
    ids=["by torch's sampler", "by rejection", "of one concentration"],
)
@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.5, 1.0, 2.0, 3.0, 40.0])
def test_log_gamma_variates_follow_their_distribution(alpha, count, given):
    drawn = log_gamma_variates(torch.full((given,), alpha), (count,), generator()).double()
    assert stats.kstest(drawn.numpy(), stats.loggamma(alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_one_concentration_may_have_any_shape(shape):
    for alpha in (0.04, 0.5):
        drawn = log_gamma_variates(torch.full(shape, alpha), (100, 100), generator())
        assert drawn.shape == (100, 100)
        assert drawn.isfinite().all()


def test_the_two_factors_of_a_variate_are_independent():
    """G(a + 1) and U^(1/a) come of one uniform number: their sum's variance is the sum of the variances."""
    alpha = torch.rand(300_000, generator=generator()) + 0.2
    drawn = log_gamma_variates(alpha, generator=generator(1)).double()
    standard = (drawn - torch.digamma(alpha.double())) / torch.polygamma(1, alpha.double()).sqrt()
    assert standard.mean().item() == pytest.approx(0, abs=0.01)
    assert standard.var().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_dirichlet_has_its_mean_and_variance(alpha):
    n, b = 20_000, 5
    weights = dirichlet_weights(n, b, alpha, generator=generator()).double()
    variance = (1 / b) * (1 - 1 / b) / (b * alpha + 1)
    assert weights.mean(0).numpy() == pytest.approx(1 / b, abs=5 * math.sqrt(variance / n))
    assert weights.var(0).numpy() == pytest.approx(variance, rel=0.1)


def test_dirichlet_takes_an_alpha_for_each_example():
    alpha = torch.tensor([0.5, 1.0, 2.5])
    mean = dirichlet_weights(40_000, 3, alpha, generator=generator()).mean(0)
    assert mean.numpy() == pytest.approx((alpha / alpha.sum()).numpy(), abs=0.01)


@pytest.mark.parametrize("m", [1, 2, 5, 7, 100, None])
def test_rows_are_on_the_simplex_with_m_entries(m):
    weights = dirichlet_weights(500, 7, 1.0, m, generator())
    assert weights.sum(1).numpy() == pytest.approx(1.0, abs=1e-6)
    assert (weights >= 0).all()
    assert ((weights > 0).sum(1) == min(m or 7, 7)).all()


@pytest.mark.parametrize(("b", "m"), [(8, 3), (5, 4), (40, 20)])
def test_every_subset_is_equally_likely(b, m):
    """Each example, and each pair of examples, is in a subset as often as any other."""
    n = 20_000
    chosen = (dirichlet_weights(n, b, 1.0, m, generator()) > 0).double()
    together = chosen.T @ chosen / n
    expected = torch.full((b, b), m * (m - 1) / (b * (b - 1))).fill_diagonal_(m / b)
    assert together.numpy() == pytest.approx(expected.numpy(), abs=0.018)


def test_more_rows_than_a_chunk_are_all_different():
    weights = dirichlet_weights(3_000, 6, torch.rand(6) + 0.1, generator=generator())
    assert len(weights.unique(dim=0)) == 3_000


def test_alpha_zero_gives_single_examples():
    weights = dirichlet_weights(1_000, 4, 0.0, generator=generator())
    assert weights.amax(1).numpy() == pytest.approx(1.0)
    assert weights.mean(0).numpy() == pytest.approx(0.25, abs=0.06)


def test_a_batch_of_one_has_weight_one():
    assert (dirichlet_weights(10, 1, 0.5, generator=generator()) == 1).all()


@pytest.mark.parametrize(
    "arguments", [(0, 3, 1.0), (3, 0, 1.0), (3, 3, -1.0), (3, 3, math.inf), (3, 3, math.nan)]
)
def test_wrong_arguments_raise(arguments):
    with pytest.raises(ValueError, match=r"must be .*, got"):
        dirichlet_weights(*arguments)
    n, b, alpha = arguments
    with pytest.raises(ValueError, match=r"must be .*, got"):
        dirichlet_weights(n, b, torch.tensor([1.0, alpha, 1.0]))
    with pytest.raises(ValueError, match=r"m must be .*, got 0"):
        dirichlet_weights(3, 3, 1.0, 0)


def test_the_same_generator_state_gives_the_same_weights():
    assert torch.equal(*(dirichlet_weights(9, 5, 0.7, 3, generator(3)) for _ in range(2)))


@pytest.mark.parametrize(("b", "m"), [(7, None), (7, 3), (7, 1), (5, 9), (1, None)])
def test_anisotropic_rows_have_a_leading_example_in_turn(b, m):
    """The leading example's marginal is Beta(target, (m - 1) rest); others are equally frequent."""
    n, target, rest = 21_000, 3.0, 0.1
    rows = anisotropic_weights(n, b, target, rest, m, torch.Generator().manual_seed(0))
    taken = min(b, m or b)
    torch.testing.assert_close(rows.sum(1), torch.ones(n))
    leading = torch.arange(n) % b
    own = rows[torch.arange(n), leading]
    mean = target / (target + (taken - 1) * rest)
    variance = mean * (1 - mean) / (target + (taken - 1) * rest + 1)
    assert own.mean().item() == pytest.approx(mean, abs=5 * (variance / n) ** 0.5 + 1e-6)
    assert own.var().item() == pytest.approx(variance, rel=0.1, abs=1e-9)
    if b > 1:
        others = rows.clone()
        others[torch.arange(n), leading] = 0
        expected = (1 - mean) * n / b
        assert others.sum(0).tolist() == pytest.approx([expected] * b, rel=0.1, abs=1e-6)


def test_anisotropic_tuples_of_m_examples_have_no_more():
    rows = anisotropic_weights(500, 9, 1.0, 1.0, 4, torch.Generator().manual_seed(0))
    assert (rows > 0).sum(1).tolist() == [4] * 500
    assert (rows[torch.arange(500), torch.arange(500) % 9] > 0).all()


@pytest.mark.parametrize(("target", "rest"), [(-1.0, 0.1), (3.0, float("inf")), (3.0, float("nan"))])
def test_anisotropic_concentrations_are_checked(target, rest):
    with pytest.raises(ValueError, match="at least 0"):
        anisotropic_weights(4, 3, target, rest)


@pytest.mark.parametrize("m", [None, 2])
@pytest.mark.parametrize(
    "draw", [partial(dirichlet_weights, alpha=1.0), partial(anisotropic_weights, target=3.0, rest=0.1)]
)
def test_weights_are_made_on_the_device_that_is_asked_for(draw, m):
    """By the argument, else by the generator, else by torch's default."""
    try:
        torch._standard_gamma(torch.ones(1, device="meta"))
    except NotImplementedError:
        pytest.skip("this torch has no Gamma variates without values")
    assert draw(4, 5, m=m, device="meta").device.type == "meta"
    assert draw(4, 5, m=m).device.type == "cpu"
    with torch.device("meta"):
        assert draw(4, 5, m=m).device.type == "meta"
        assert draw(4, 5, m=m, generator=torch.Generator("cpu")).device.type == "cpu"
        assert draw(4, 5, m=m, device="cpu").device.type == "cpu"
