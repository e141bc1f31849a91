"""Soft targets, their losses, and the loss of mixed examples."""

import torch
from torch import Tensor

from .criteria import AnyCriterion, Criterion, find_criterion
from .draws import Draw, Tuples
from .labels import check_labels
from .tuple_loss import multimix_loss


def soft_targets(
    labels: Tensor, num_classes: int, smoothing: float = 0.0, multi_label: bool = False
) -> Tensor:
    """Make targets [b, c] of labels, with label smoothing.

    Smoothing s blends with the uniform distribution: (1 - s) t + s / c (arXiv:1512.00567, section 7).

    Args:
        labels: class indices [b], or targets [b, c], which are kept. With c = 1, labels [b] are values: of a
            regression, or 0 and 1 for a single logit.
        num_classes: c.
        smoothing: s, from 0 to 1.
        multi_label: whether every class is independent of the others: smoothing then blends with 1/2, as
            timm.data.Mixup(multi_label=True) does, and as it does with a single logit.

    Returns:
        Targets [b, c].

    Raises:
        ValueError: labels are neither indices [b] nor targets [b, num_classes]; smoothing is not a part.

    Examples:
        >>> F.soft_targets(torch.tensor([0, 2]), num_classes=3, smoothing=0.3)
        tensor([[0.8000, 0.1000, 0.1000],
                [0.1000, 0.1000, 0.8000]])
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be from 0 to 1, got {smoothing}")
    check_labels(labels, num_classes)
    if labels.dim() == 1 and num_classes == 1:
        targets = (labels if labels.is_floating_point() else labels.float()).unsqueeze(1)
    elif labels.dim() == 1:
        targets = torch.zeros(len(labels), num_classes, device=labels.device, dtype=torch.float32)
        targets.scatter_(1, labels.long().unsqueeze(1), 1.0)
    else:
        targets = labels if labels.is_floating_point() else labels.float()
    uniform = 0.5 if multi_label or num_classes == 1 else 1 / num_classes
    return targets * (1 - smoothing) + smoothing * uniform if smoothing else targets


def soft_loss(logits: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Return the mean loss of logits against soft targets, in float32 outside autocast.

    Args:
        logits: [..., c].
        targets: [..., c].
        criterion: softmax: cross-entropy; sigmoid: binary cross-entropy; mse: squared error, the last two
            averaged over classes; or a callable of (logits [rows, c], targets [rows, c]).

    Raises:
        ValueError: the targets are not of the logits' shape; an unknown criterion (UsageError).

    Examples:
        >>> F.soft_loss(torch.zeros(1, 4), torch.tensor([[0.5, 0.5, 0.0, 0.0]]))
        tensor(1.3863)
    """
    found = find_criterion(criterion)
    if logits.shape != targets.shape and not found.hard:
        raise ValueError(
            f"targets must be of the logits' shape {list(logits.shape)}, got {list(targets.shape)}; "
            "soft_targets makes them of class indices"
        )
    return found.loss(logits, targets)


def mixed_loss(draw: Draw, logits: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Return the loss of draw(logits) against draw.targets(targets), for mixing after the classifier.

    For tuples and a criterion of the package the mixed logits and targets are never all in memory, see
    `multimix_loss`; the result is the same.

    Args:
        draw: the draw that mixes logits and targets.
        logits: of the clean examples, [b, c] or [r, b, c].
        targets: of that shape, or [b, c] for all positions; class indices [b] with tuples and softmax or
            sigmoid.
        criterion: as in `soft_loss`.

    Examples:
        >>> logits, targets = torch.zeros(4, 10), torch.eye(10)[:4]
        >>> F.mixed_loss(F.multimix.draw(logits, n=100), logits, targets)
        tensor(2.3026)
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
    """Return whether mixed_loss takes labels [b] as class indices, which saves a product with the targets."""
    indices = labels.dim() == 1 and not labels.is_floating_point() and logits.shape[-1] > 1
    return indices and isinstance(draw, Tuples) and criterion.indices


def loss_of_mixed(draw: Draw, output: Tensor, targets: Tensor, criterion: AnyCriterion = "softmax") -> Tensor:
    """Return the loss of the logits of mixed examples, for mixing at the input or inside the network.

    Args:
        draw: the draw that mixed the examples.
        output: logits of the mixed examples, [n, ..., c].
        targets: targets of the clean examples [b, ..., c]; for HardPairs, class indices [b].
        criterion: as in `soft_loss`.

    Examples:
        >>> x, targets = torch.rand(4, 3, 8, 8), torch.eye(10)[:4]
        >>> mixed, draw = F.mixup(x)
        >>> F.loss_of_mixed(draw, torch.zeros(4, 10), targets)
        tensor(2.3026)
    """
    return find_criterion(criterion).loss_of_mixed(draw, output, targets)
