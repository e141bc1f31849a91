"""The loss of a mixed pass: against the labels, blended with a teacher's targets, mixed by the draw."""

from functools import partial, reduce

import torch
from torch import Tensor

from .errors import UsageError
from .functional import Identity, mixed_loss, soft_targets
from .functional.criteria import Criterion
from .functional.losses import allows_indices
from .sites.gather import gather_rows
from .sites.student import Mixed


# Not compiled itself, as a distillation weight that rises would recompile it at every step; the losses are.
@partial(torch.compiler.disable, recursive=False)
def objective(
    mixed: Mixed,
    labels: Tensor,
    criterion: Criterion,
    smoothing: float = 0.0,
    taught: Tensor | None = None,
    weight: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the loss of a mixed pass, and the targets [rows, c] of its output.

    Args:
        mixed: the pass.
        labels: class indices [b] or targets [b, c].
        criterion: the loss.
        smoothing: label smoothing of the labels.
        taught: a teacher's targets of the clean examples, [b, c] or [r, b, c]; None: no teacher.
        weight: g in the loss (1 - g) loss(labels) + g loss(taught).
    """
    targets = soft_targets(labels, mixed.output.shape[-1], smoothing)
    if taught is None:
        hard = _are_hard(labels, mixed, criterion, smoothing)
        loss = _loss_against(labels if hard else targets, mixed, criterion)
        return loss, _output_targets(mixed, targets)
    if taught.shape[-1] != targets.shape[-1]:
        raise UsageError(f"teacher must have {targets.shape[-1]} outputs, got {taught.shape[-1]}")
    blended = torch.lerp(targets.expand_as(taught).to(taught.dtype), taught, weight)
    if criterion.linear:  # the loss of the blend equals the blend of two losses, at the cost of one
        loss = _loss_against(blended, mixed, criterion)
    else:
        by_labels, by_teacher = (_loss_against(part, mixed, criterion) for part in (targets, taught))
        loss = torch.lerp(by_labels, by_teacher, weight)
    return loss, _output_targets(mixed, blended)


def sum_of_losses(weights: list[float], losses: list[Tensor]) -> Tensor:
    """Return the weighted sum of the losses of a step's terms."""
    parts = [loss if weight == 1 else weight * loss for weight, loss in zip(weights, losses, strict=True)]
    return reduce(torch.add, parts)


def _are_hard(labels: Tensor, mixed: Mixed, criterion: Criterion, smoothing: float) -> bool:
    """Return whether the loss accepts the labels themselves, which is faster than their one-hot targets."""
    if smoothing or not isinstance(mixed.seen, Identity):
        return False
    return allows_indices(mixed.draw, mixed.logits, labels, criterion)


def _loss_against(targets: Tensor, mixed: Mixed, criterion: Criterion) -> Tensor:
    """Return the loss of the mixed logits against the examples' targets: indices [b], [b, c] or [r, b, c]."""
    if isinstance(mixed.draw, Identity):
        return criterion.loss_of_mixed(mixed.seen, mixed.output, targets)
    if criterion.hard and not isinstance(mixed.seen, Identity):
        raise UsageError(
            f"{criterion.name} must be given draws that mix two targets, got examples that are mixed twice"
        )
    targets = _seen(mixed, targets)
    targets = gather_rows(targets) if mixed.gathered else targets
    return mixed_loss(mixed.draw, mixed.logits, targets, criterion)


def _seen(mixed: Mixed, targets: Tensor) -> Tensor:
    """Return the targets [b, c] or [r, b, c] of the network's input; indices only if it was clean images."""
    if targets.dim() == 3:
        return mixed.seen.targets(targets.transpose(0, 1)).transpose(0, 1)
    return mixed.seen.targets(targets)


def _output_targets(mixed: Mixed, targets: Tensor) -> Tensor:
    """Return the targets of mixed.output: those of the network's input, averaged over positions."""
    return mixed.seen.targets(targets.mean(0) if targets.dim() == 3 else targets)
