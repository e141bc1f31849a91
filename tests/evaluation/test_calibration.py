"""Calibration against values by hand, scikit-learn's and torchmetrics'."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from timm_multimix.evaluation.calibration import (
    brier_score,
    calibration_error,
    fit_temperature,
    measure,
    negative_log_likelihood,
    summarize_calibration,
)


def sample(count: int, classes: int, seed: int, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are `scale` times too large for the probabilities by which labels are drawn."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return scale * logits, labels


def as_logits(probabilities: list[list[float]]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_a_perfect_model() -> None:
    found = measure(100 * torch.eye(4), torch.arange(4))
    assert found == {"nll": 0.0, "ece": pytest.approx(0, abs=1e-12), "brier": pytest.approx(0, abs=1e-12)}


@pytest.mark.parametrize("classes", [2, 10])
def test_a_constant_model(classes: int) -> None:
    logits, labels = torch.zeros(classes, classes), torch.arange(classes)
    assert negative_log_likelihood(logits, labels) == pytest.approx(math.log(classes))
    assert brier_score(logits, labels) == pytest.approx(1 - 1 / classes)
    assert calibration_error(logits, labels) == pytest.approx(0, abs=1e-12)


def test_a_model_that_is_surely_wrong() -> None:
    logits, labels = 100 * torch.eye(4), torch.tensor([1, 2, 3, 0])
    found = measure(logits, labels)
    assert found == {"nll": pytest.approx(100), "ece": pytest.approx(1), "brier": pytest.approx(2)}


def test_a_hand_made_model() -> None:
    logits = as_logits([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.36, 0.64]])
    labels = torch.tensor([0, 1, 1, 1])
    # of 15 bins, 0.9 twice is in (13/15, 14/15]: accuracy 1/2; 0.6 in (8/15, 9/15], 0.64 in (9/15, 10/15]
    expected = 2 / 4 * abs(0.5 - 0.9) + 1 / 4 * abs(1 - 0.6) + 1 / 4 * abs(1 - 0.64)
    assert calibration_error(logits, labels) == pytest.approx(expected)
    assert calibration_error(logits, labels, bins=1) == pytest.approx(abs(3 / 4 - 3.04 / 4))
    assert brier_score(logits, labels) == pytest.approx(2 * (0.01 + 0.81 + 0.16 + 0.36**2) / 4)
    assert negative_log_likelihood(logits, labels) == pytest.approx(-math.log(0.9 * 0.1 * 0.6 * 0.64) / 4)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 200), st.integers(2, 12), st.integers(0, 10**6), st.floats(0.1, 5))
def test_calibration_error_as_torchmetrics_has_it(count: int, classes: int, seed: int, scale: float) -> None:
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    logits, labels = sample(count, classes, seed, scale)
    places = logits.double().softmax(1).amax(1) * 15
    assume(((places - places.round()).abs() > 1e-5).all())  # its ends of bins are in single precision
    expected = metrics.multiclass_calibration_error(logits.double().softmax(1), labels, classes, n_bins=15)
    assert calibration_error(logits, labels) == pytest.approx(expected.item(), abs=1e-6)


def test_likelihood_as_scikit_learn_has_it() -> None:
    logits, labels = sample(300, 7, 0)
    expected = log_loss(labels.numpy(), logits.double().softmax(1).numpy(), labels=range(7))
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected)


def test_logits_too_large_for_a_softmax_in_single_precision() -> None:
    logits = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]])
    assert measure(logits, torch.tensor([0, 0])) == {"nll": 500.0, "ece": 0.5, "brier": 1.0}


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_temperature_undoes_a_scale(scale: float) -> None:
    logits, labels = sample(20000, 5, 1, scale)
    assert fit_temperature(logits, labels) == pytest.approx(scale, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_temperature_is_likelier(seed: int) -> None:
    logits, labels = sample(50, 4, seed, 3.0)
    best = fit_temperature(logits, labels)
    least = negative_log_likelihood(logits.double() / best, labels)
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert negative_log_likelihood(logits.double() / (factor * best), labels) >= least


def test_temperature_has_bounds() -> None:
    right, wrong = torch.eye(3), -torch.eye(3)
    assert fit_temperature(right, torch.arange(3)) == pytest.approx(math.exp(-6))
    assert fit_temperature(wrong, torch.arange(3)) == pytest.approx(math.exp(6))
    assert fit_temperature(torch.full((3, 3), 7.0), torch.arange(3)) == 1.0


def test_temperature_is_fitted_on_one_half_and_measured_on_the_other() -> None:
    logits, labels = sample(1001, 5, 2, 4.0)
    found = summarize_calibration(logits, labels)
    assert {name: found[name] for name in ("nll", "ece", "brier")} == measure(logits, labels)
    scaling = found["temperature_scaling"]
    assert isinstance(scaling, dict)
    temperature = fit_temperature(logits[::2], labels[::2])
    assert scaling["temperature"] == temperature
    assert scaling["before"] == measure(logits[1::2], labels[1::2])
    assert scaling["after"] == measure(logits[1::2].double() / temperature, labels[1::2])
    assert scaling["after"]["ece"] < scaling["before"]["ece"] / 3
    assert (scaling["fitted_on"], scaling["measured_on"]) == (
        "every second image from the first, 501",
        "the other 500 images",
    )


def test_one_image_has_no_halves() -> None:
    assert "temperature_scaling" not in summarize_calibration(torch.zeros(1, 3), torch.tensor([1]))
