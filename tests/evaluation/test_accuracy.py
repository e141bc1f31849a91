"""Accuracies against counts by hand and scikit-learn's."""

import pytest
import torch
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from timm_multimix.errors import UsageError
from timm_multimix.evaluation.accuracy import (
    mean_absolute_error,
    mean_average_precision,
    summarize_accuracy,
    topk_accuracy,
)

LABELS = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])


def test_a_perfect_and_a_constant_model() -> None:
    assert summarize_accuracy(torch.eye(10), LABELS) == {"top1": 100.0, "top5": 100.0}
    constant = torch.arange(10.0).flip(0).expand(10, 10)
    assert summarize_accuracy(constant, LABELS) == {"top1": 10.0, "top5": 50.0}


def test_a_hand_made_model() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [2.0, 3.0, 1.0], [1.0, 3.0, 2.0]])
    labels = torch.tensor([0, 1, 2, 2])
    assert topk_accuracy(logits, labels) == 25.0
    assert topk_accuracy(logits, labels, 2) == 75.0
    assert topk_accuracy(logits, labels, 9) == 100.0
    assert summarize_accuracy(logits, labels) == {"top1": 25.0}


@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_random_model_is_counted_as_scikit_learn_counts(k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    logits = torch.randn(500, 20, generator=generator)
    labels = torch.randint(20, (500,), generator=generator)
    expected = top_k_accuracy_score(labels.numpy(), logits.numpy(), k=k, labels=range(20))
    assert topk_accuracy(logits, labels, k) == pytest.approx(100 * expected)


def test_average_precision_by_hand() -> None:
    # first class: positives at ranks 1 and 3, (1 + 2/3) / 2; second: at rank 2, 1/2; third has none
    scores = torch.tensor([[0.9, 0.2, 0.1], [0.8, 0.9, 0.2], [0.7, 0.1, 0.3]])
    targets = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert mean_average_precision(scores, targets) == pytest.approx(100 * (5 / 6 + 1 / 2) / 2)


def test_average_precision_as_scikit_learn_and_torchmetrics_have_it() -> None:
    classification = pytest.importorskip("torchmetrics.functional.classification")
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(300, 7, generator=generator)
    targets = torch.randint(2, (300, 7), generator=generator)
    found = mean_average_precision(scores, targets)
    expected = average_precision_score(targets.numpy(), scores.numpy(), average="macro")
    assert found == pytest.approx(100 * expected)
    measured = classification.multilabel_average_precision(scores, targets, 7)
    assert found == pytest.approx(100 * measured.item(), rel=1e-5)


def test_a_perfect_ranking_has_full_precision_and_a_constant_one_the_prevalence() -> None:
    targets = torch.tensor([[1, 0], [0, 1], [0, 1], [0, 1]])
    assert mean_average_precision(targets.float(), targets) == 100.0
    assert mean_average_precision(torch.zeros(4, 2), targets) == 100 * (0.25 + 0.75) / 2


def test_average_precision_needs_a_positive() -> None:
    with pytest.raises(UsageError, match="targets must have a positive"):
        mean_average_precision(torch.ones(3, 2), torch.zeros(3, 2))


def test_absolute_error() -> None:
    assert mean_absolute_error(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1, 4, 3])) == 1.0
    assert mean_absolute_error(torch.zeros(2, 2), torch.tensor([[1.0, -1.0], [3.0, 0.0]])) == 1.25
    with pytest.raises(UsageError, match=r"\(3,\) and \(3, 1\)"):
        mean_absolute_error(torch.zeros(3), torch.zeros(3, 1))
