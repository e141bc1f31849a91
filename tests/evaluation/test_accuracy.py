"""Accuracies against what is counted by hand and by scikit-learn."""

import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from timm_multimix.evaluation.accuracy import summarize_accuracy, topk_accuracy

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
