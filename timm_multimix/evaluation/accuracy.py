"""Top-k accuracy."""

import torch
from torch import Tensor


def topk_accuracy(logits: Tensor, labels: Tensor, k: int = 1) -> float:
    """Per cent of rows of logits [n, c] whose label [n] is among the k largest (all classes if k > c)."""
    guesses = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return 100 * (guesses == labels[:, None]).any(1).double().mean().item()


def summarize_accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Top-1, and top-5 where it is not always right."""
    result = {"top1": topk_accuracy(logits, labels)}
    return result | ({"top5": topk_accuracy(logits, labels, 5)} if logits.shape[1] > 5 else {})


def as_targets(labels: Tensor, classes: int) -> Tensor:
    """Labels [n] as one-hot targets [n, c] in double precision."""
    return torch.nn.functional.one_hot(labels, classes).double()
