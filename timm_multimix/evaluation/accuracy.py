"""Accuracy: top-k for one class an image, mAP for several classes, MAE for numbers."""

import torch
from torch import Tensor

from ..errors import UsageError


def topk_accuracy(logits: Tensor, labels: Tensor, k: int = 1) -> float:
    """Per cent of rows of logits [n, c] with the label [n] among the k largest (all classes if k > c)."""
    guesses = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return 100 * int((guesses == labels[:, None]).sum()) / len(labels)  # as training rounds it


def mean_average_precision(scores: Tensor, targets: Tensor) -> float:
    """Return the mean over classes of the average precision, in per cent, for several classes an image.

    Classes without a positive have no precision and are left out; scikit-learn's `average_precision_score`.

    Args:
        scores: [n, c], higher for more confidence.
        targets: [n, c] of 0 and 1.

    Raises:
        UsageError: no class has a positive.
    """
    from sklearn.metrics import average_precision_score

    present = targets.bool().any(0)
    if not present.any():
        raise UsageError("targets must have a positive for average precision, got none")
    value = average_precision_score(targets[:, present].numpy(), scores[:, present].double().numpy())
    return 100 * float(value)


def mean_absolute_error(predictions: Tensor, targets: Tensor) -> float:
    """Mean distance of predicted numbers [n] or [n, d] from targets of the same shape, in their unit.

    Raises:
        UsageError: the shapes differ.
    """
    if predictions.shape != targets.shape:
        shapes = f"{tuple(predictions.shape)} and {tuple(targets.shape)}"
        raise UsageError(f"predictions and targets must have equal shapes, got {shapes}")
    return (predictions.double() - targets.double()).abs().mean().item()


def summarize_scores(outputs: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the metrics for the type of the labels.

    Args:
        outputs: of the model, [n, c].
        labels: class numbers [n], multi-label targets [n, c], or numbers [n], both floating.

    Returns:
        Top-1 and top-5, mAP, or MAE.
    """
    if labels.dim() == 2:
        return {"map": mean_average_precision(outputs, labels)}
    if labels.is_floating_point():
        return {"mae": mean_absolute_error(outputs[:, 0], labels)}
    return summarize_accuracy(outputs, labels)


def summarize_accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return top-1, and top-5 if there are more than five classes."""
    result = {"top1": topk_accuracy(logits, labels)}
    return result | ({"top5": topk_accuracy(logits, labels, 5)} if logits.shape[1] > 5 else {})


def as_targets(labels: Tensor, classes: int) -> Tensor:
    """Return labels [n] as one-hot targets [n, c] in double precision."""
    return torch.nn.functional.one_hot(labels, classes).double()
