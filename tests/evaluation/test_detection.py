"""Detection of unknown images against counting pairs and thresholds one by one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix.evaluation.detection import compare_logits, compare_scores, max_softmax, negative_energy

SCORES = st.lists(st.integers(-4, 4), min_size=1, max_size=20)


def count_everything(known: list[int], unknown: list[int]) -> dict[str, float]:
    """auroc, fpr95 and detection accuracy from their definitions."""
    pairs = [(k > u) + (k == u) / 2 for k in known for u in unknown]
    thresholds = sorted({*known, *unknown, math.inf})
    rates = [
        (sum(k >= t for k in known) / len(known), sum(u >= t for u in unknown) / len(unknown))
        for t in thresholds
    ]
    return {
        "auroc": 100 * sum(pairs) / len(pairs),
        "fpr95": 100 * min(fpr for tpr, fpr in rates if tpr >= 0.95),
        "detection_accuracy": 100 * max((tpr + 1 - fpr) / 2 for tpr, fpr in rates),
    }


def area_under_precision(positive: list[int], negative: list[int]) -> float:
    """Sum over thresholds of the gain in recall times the precision there."""
    area, recall = 0.0, 0.0
    for t in sorted({*positive, *negative}, reverse=True):
        right, wrong = sum(p >= t for p in positive), sum(n >= t for n in negative)
        area += (right / len(positive) - recall) * right / (right + wrong)
        recall = right / len(positive)
    return 100 * area


@settings(deadline=None, max_examples=100)
@given(SCORES, SCORES)
def test_all_numbers_by_their_definitions(known: list[int], unknown: list[int]) -> None:
    found = compare_scores(torch.tensor(known), torch.tensor(unknown))
    expected = count_everything(known, unknown) | {
        "aupr_in": area_under_precision(known, unknown),
        "aupr_out": area_under_precision([-u for u in unknown], [-k for k in known]),
    }
    assert found == pytest.approx(expected)


def test_perfect_and_reversed_scores() -> None:
    high, low = torch.tensor([3.0, 4.0, 5.0]), torch.tensor([0.0, 1.0, 2.0])
    perfect = {"auroc": 100, "aupr_in": 100, "aupr_out": 100, "fpr95": 0, "detection_accuracy": 100}
    assert compare_scores(high, low) == pytest.approx(perfect)
    reversed_ = compare_scores(low, high)
    assert (reversed_["auroc"], reversed_["fpr95"], reversed_["detection_accuracy"]) == (0, 100, 50)


def test_identical_sets_have_chance_level() -> None:
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    for found in compare_logits(logits, logits).values():
        assert found["auroc"] == pytest.approx(50)
        assert found["detection_accuracy"] == pytest.approx(50)
        assert found["fpr95"] >= 95


def test_sets_of_one_distribution_have_about_chance_level() -> None:
    generator = torch.Generator().manual_seed(1)
    known, unknown = torch.randn(4000, 10, generator=generator), torch.randn(4000, 10, generator=generator)
    for found in compare_logits(known, unknown).values():
        # the deviation of the area under the curve is sqrt((2 n + 1) / (12 n^2)), 0.65 points here
        assert found["auroc"] == pytest.approx(50, abs=2.5)


def test_constant_scores_have_chance_level() -> None:
    found = compare_scores(torch.ones(5), torch.ones(15))
    expected = {"auroc": 50, "aupr_in": 25, "aupr_out": 75, "fpr95": 100, "detection_accuracy": 50}
    assert found == pytest.approx(expected)


def test_the_area_as_torchmetrics_has_it() -> None:
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    generator = torch.Generator().manual_seed(2)
    known, unknown = torch.rand(300, generator=generator), 0.8 * torch.rand(200, generator=generator)
    target = torch.cat([torch.ones(300), torch.zeros(200)]).long()
    expected = metrics.binary_auroc(torch.cat([known, unknown]), target).item()
    assert compare_scores(known, unknown)["auroc"] == pytest.approx(100 * expected, rel=1e-5)


def test_the_scores_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [1.0, 1.0]])
    assert max_softmax(logits).tolist() == pytest.approx([0.75, 0.5])
    assert negative_energy(logits).tolist() == pytest.approx([math.log(4), 1 + math.log(2)])


def test_scores_of_large_logits_stay_apart() -> None:
    # in single precision both are sure to be 1
    assert max_softmax(torch.tensor([[20.0, 0.0], [25.0, 0.0]])).unique().numel() == 2
