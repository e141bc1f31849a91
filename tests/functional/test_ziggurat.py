"""The layers of the ziggurat against the density they cover, its variates against SciPy's distributions."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from timm_multimix.functional import dirichlet_weights, ziggurat

ALPHAS = [ziggurat.LOWEST, 0.08, 0.2, 0.5, 0.77, 1.0, 1.3, 2.0, 3.1, ziggurat.HIGHEST]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def density(y, alpha):
    """That of y = x^alpha for x ~ Gamma(alpha, 1), times Gamma(alpha + 1)."""
    return np.exp(-(np.asarray(y, dtype=np.float64) ** (1 / alpha)))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_layers_cover_the_density_and_have_one_area(alpha):
    layers = ziggurat._ziggurat(alpha)
    width, inner, edges = (each.astype(np.float64) for each in layers[1:4])
    assert edges[0] == 0
    assert edges[-1] == 1
    bottom, top = edges[:-1], edges[1:]
    areas = width * (top - bottom)
    assert areas == pytest.approx(areas.mean(), rel=1e-4)  # float32
    # From the second layer on, the curve at the bottom ends within the width; what is inner is below it.
    assert (density(width[1:], alpha) <= bottom[1:] * (1 + 1e-5)).all()
    assert (density(inner, alpha) >= top * (1 - 1e-5)).all()
    assert inner[0] ** (1 / alpha) == pytest.approx(layers.tail_start, rel=1e-4)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_little_of_the_area_is_above_the_density(alpha):
    layers = ziggurat._ziggurat(alpha)
    covered = len(layers.width) * float(layers.width[0]) * float(layers.edges[1])
    assert math.gamma(alpha + 1) / covered > 0.98


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_tails_area_covers_the_tail(alpha):
    """The exponential density that is drawn from is above that of x, in its share of the layer."""
    layers = ziggurat._ziggurat(alpha)
    beyond = (float(layers.width[0]) - float(layers.inner[0])) * float(layers.edges[1]) * layers.tail_share
    start, rate = layers.tail_start, layers.tail_rate
    for x in np.linspace(start, start + 20, 50):
        exponential = beyond * rate * math.exp(-rate * (x - start))
        assert alpha * x ** (alpha - 1) * math.exp(-x) <= exponential * (1 + 1e-3)
    assert 0.5 < layers.tail_share < 1 + 1e-6


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("count", [400_000, 400_001])
def test_variates_follow_their_distribution(alpha, count):
    drawn = ziggurat.log_gamma(alpha, torch.empty(count), generator()).double().numpy()
    assert stats.kstest(drawn, stats.loggamma(alpha).cdf).pvalue > 1e-3
    assert drawn.mean() == pytest.approx(special.digamma(alpha), abs=5 * drawn.std() / count**0.5)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 2.0, 4.0])
def test_variates_of_the_tail_are_as_many_and_as_large_as_they_should_be(alpha):
    start, count = ziggurat._ziggurat(alpha).tail_start, 3_000_000
    drawn = ziggurat.log_gamma(alpha, torch.empty(count), generator()).double().exp().numpy()
    tail, expected = drawn[drawn > start], count * stats.gamma(alpha).sf(start)
    assert len(tail) == pytest.approx(expected, abs=4.5 * expected**0.5)
    conditional = 1 - stats.gamma(alpha).sf(tail) / stats.gamma(alpha).sf(start)
    assert stats.kstest(conditional, stats.uniform.cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 2.0, 4.0])
def test_what_is_drawn_outside_of_the_inner_widths_is_the_rest_of_the_density(alpha):
    """Each is kept as often as a point at a random height of its layer is below the density."""
    count = 400_000
    layers = ziggurat._ziggurat(alpha)
    layer = np.random.default_rng(0).integers(1, len(layers.width), count)
    inner, width = layers.inner[layer].astype(np.float64), layers.width[layer].astype(np.float64)
    y = inner + np.random.default_rng(1).random(count) * (width - inner)
    below = ziggurat._beyond(layers, layer, np.log(y) / alpha, torch.empty(0), generator())
    kept = np.isclose(below, np.log(y) / alpha)
    bottom, top = layers.edges[layer], layers.edges[layer + 1]
    height = bottom + np.random.default_rng(2).random(count) * (top - bottom)
    assert kept.mean() == pytest.approx((height < density(y, alpha)).mean(), abs=0.005)
    assert stats.kstest(below[~kept], stats.loggamma(alpha).cdf).pvalue > 1e-3


def test_interpolated_layers_are_nearly_as_good_as_the_best():
    for alpha in ALPHAS:
        best = [math.exp(-drop) for drop in ziggurat._best_drops(alpha)]
        assert ziggurat._ziggurat(alpha).edges[1:-1] == pytest.approx(best, rel=0.02)


def test_consecutive_variates_are_independent():
    drawn = ziggurat.log_gamma(0.7, torch.empty(1_000_000), generator()).double()
    for lag in (1, 2, 3, 64):
        together = torch.corrcoef(torch.stack([drawn[lag:], drawn[:-lag]]))[0, 1]
        assert together.abs().item() < 5 / 1000


@pytest.mark.parametrize(
    ("alpha", "taken"),
    [
        (torch.tensor([0.5]), True),
        (torch.tensor(1.0), True),
        (torch.tensor([0.04]), False),
        (torch.tensor([4.1]), False),
        (torch.tensor([math.inf]), False),
        (torch.tensor([0.5, 0.5]), False),
        (torch.tensor([0.5], dtype=torch.float64), False),
    ],
)
def test_concentrations_that_it_is_made_for(alpha, taken):
    assert ziggurat.fits(alpha) is taken


def test_many_rows_are_drawn_by_it_and_have_the_distribution_of_few(monkeypatch):
    calls = []
    own = ziggurat.log_gamma
    monkeypatch.setattr(ziggurat, "log_gamma", lambda *args: calls.append(args[0]) or own(*args))
    weights = dirichlet_weights(3_000, 61, 0.75, generator=generator())
    assert calls == [0.75, 0.75]  # 2048 rows at a time
    marginal = stats.beta(0.75, 60 * 0.75)
    assert stats.kstest(weights[:, 3].double().numpy(), marginal.cdf).pvalue > 1e-3
    dirichlet_weights(100, 61, 0.75, generator=generator())
    assert len(calls) == 2


def test_the_default_device_and_type_have_no_part_in_it():
    expected = ziggurat.log_gamma(0.6, torch.empty(20_000), generator())
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            found = ziggurat.log_gamma(
                0.6, torch.empty(20_000, dtype=torch.float32, device="cpu"), generator()
            )
    finally:
        torch.set_default_dtype(before)
    assert found.dtype == torch.float32
    assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 2.0, 4.0])
def test_what_the_lowest_layer_draws_beyond_its_inner_width_is_the_tail(alpha):
    count, layers, gamma = 300_000, ziggurat._ziggurat(alpha), stats.gamma(alpha)
    lowest = np.zeros(count, dtype=np.int32)
    drawn = ziggurat._beyond(layers, lowest, np.zeros(count, np.float32), torch.empty(0), generator())
    x = np.exp(drawn.astype(np.float64))
    tail, beyond = x[x > layers.tail_start], gamma.sf(layers.tail_start)
    area = (float(layers.width[0]) - float(layers.inner[0])) * float(layers.edges[1])
    kept = math.gamma(alpha + 1) * beyond / area  # the others are drawn anew, a few of them in the tail
    assert len(tail) / count == pytest.approx(kept + (1 - kept) * beyond, abs=0.005)
    assert stats.kstest(1 - gamma.sf(tail) / beyond, stats.uniform.cdf).pvalue > 1e-3
