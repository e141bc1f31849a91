"""Soft targets, the losses they are scored with, and the loss of what a draw has mixed."""

import torch
from torch import Tensor

from .criteria import AnyCriterion, Criterion, find_criterion
from .draws import Draw, Tuples
from .labels import check_labels
from .tuple_loss import multimix_loss


def soft_targets(
    labels: Tensor, num_classes: int, smoothing: float = 0.0, multi_label: bool = False
) -> Tensor:
    """Targets [b, c] from class indices [b] or from targets [b, c] as they are, then smoothed.

    Smoothing s blends with the uniform distribution: (1 - s) t + s / c (arXiv:1512.00567, section 7). With
    c = 1, labels [b] are values: of a regression, or 0 and 1 for a single logit. multi_label: every class is
    a question of its own, and smoothing blends with 1/2, as timm.data.Mixup(multi_label=True).

    Raises:
        ValueError: labels are neither [b] indices nor [b, num_classes], as `check_labels` says.
    """
    check_labels(labels, num_classes)
    if labels.dim() == 1 and num_classes == 1:
        targets = (labels if labels.is_floating_point() else labels.float()).unsqueeze(1)
    elif labels.dim() == 1:
        targets = torch.zeros(len(labels), num_classes, device=labels.device)
        targets.scatter_(1, labels.long().unsqueeze(1), 1.0)
    else:
        targets = labels if labels.is_floating_point() else labels.float()
    uniform = 0.5 if multi_label else 1 / num_classes
    return targets * (1 - smoothing) + smoothing * uniform if smoothing else targets


def soft_loss(logits: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Mean loss of logits [..., c] against soft targets of that shape, in float32 outside autocast.

    softmax: cross-entropy; sigmoid: binary cross-entropy; mse: squared error; the last two averaged over
    classes. A callable gets (logits [rows, c], targets [rows, c]).

    Raises:
        ValueError: an unknown criterion.
    """
    return find_criterion(criterion).loss(logits, targets)


def mixed_loss(draw: Draw, logits: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Loss of draw(logits) against draw.targets(targets), for draws made after the classifier.

    logits [b, c] or [r, b, c]; targets of that shape, or [b, c] for all positions, or indices [b] where they
    are allowed. Tuples take the exact form that never makes the mixed targets; all else, and a criterion that
    has no such form, as a callable, is computed as it reads.
    """
    criterion = find_criterion(criterion)
    if isinstance(draw, Tuples) and criterion.sums is not None:
        return multimix_loss(logits, targets, draw.weights, kind=criterion.name)
    positions_first = isinstance(draw, Tuples) and draw.weights.dim() == 3
    if logits.dim() == 3 and not positions_first:
        targets = targets.expand_as(logits).transpose(0, 1)
        logits = logits.transpose(0, 1)
    return criterion.loss_of_mixed(draw, draw(logits), targets)


def allows_indices(draw: Draw, logits: Tensor, labels: Tensor, criterion: Criterion) -> bool:
    """Whether mixed_loss takes the labels [b] as class indices, which saves a product with the targets."""
    indices = labels.dim() == 1 and not labels.is_floating_point() and logits.shape[-1] > 1
    return indices and isinstance(draw, Tuples) and criterion.indices


def loss_of_mixed(draw: Draw, output: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Loss of the logits [n, ..., c] of what a draw has mixed against draw.targets(targets).

    HardPairs takes the labels of both partners instead of a mixture of them.
    """
    return find_criterion(criterion).loss_of_mixed(draw, output, targets)
