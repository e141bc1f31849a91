"""Guides: tensors that the model computes of the clean images, for mixers that depend on them.

A guide is an extra pass through the model itself, outside of any distributed wrapper, in eval mode: running
statistics, dropout's random numbers and the parameters' gradients are not changed by it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional import soft_targets
from ..functional.criteria import AnyCriterion, Criterion, find_criterion
from .attention import WatchedAttention
from .eval_mode import undisturbed
from .grid import find_grid, last_features, sequence_grid
from .outputs import as_logits
from .positions import dense_forward

# Keeps gradients of images that the model fits above float16's smallest numbers, in a pass under autocast.
_SCALE = 1024.0

Guide = Callable[[Any, Tensor, Tensor, Criterion], Tensor]


@torch.compiler.disable
def compute_guide(
    name: str, model: nn.Module, images: Tensor, labels: Tensor | None, criterion: AnyCriterion = "softmax"
) -> Tensor:
    """Return a guide of clean images.

    Args:
        name: one of GUIDES (see Context).
        model: the model.
        images: clean images [b, ch, h, w].
        labels: class indices [b] or targets [b, c].
        criterion: the loss of the gradient guide.

    Raises:
        UsageError: no labels, or a model whose last features are not a map.
    """
    if labels is None:
        raise UsageError(f"labels must be given for the guide {name!r}, as indices [b] or targets [b, c]")
    with undisturbed(model, images.device, grad=True):
        return GUIDES[name](model, images.detach(), labels, find_criterion(criterion))


def input_gradient(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Gradient [b, ch, h, w] of each image's loss with respect to it: one forward, one backward."""
    images = (images if images.is_floating_point() else images.float()).requires_grad_()
    with torch.enable_grad():
        logits = as_logits(model(images))
        # The criterion averages over the batch; in eval mode the examples do not depend on each other.
        loss = len(images) * criterion.loss(logits, soft_targets(labels, logits.shape[-1]))
        (gradient,) = torch.autograd.grad(_SCALE * loss, images)
    return gradient / _SCALE


@torch.no_grad()
def feature_map(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Return the last feature map [b, d, h, w]: one forward."""
    features = last_features(model, images)
    grid = find_grid(model, features, images)
    return grid.as_map(grid.layout.positions(features))


@torch.no_grad()
def class_activation(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Return the probability [b, h, w] of the image's own class at every position: one forward.

    The head computes the positions' logits; with targets [b, c] the probabilities are averaged by them.
    """
    logits, as_map = _at_positions(model, images)
    return as_map(_own(criterion.probabilities(logits), labels))


@torch.no_grad()
def class_evidence(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Class activation map (CAM) [b, h, w], the logit of the own class at every position: one forward.

    With targets [b, c] the logits are averaged by them.
    """
    logits, as_map = _at_positions(model, images)
    return as_map(_own(logits, labels))


@torch.no_grad()
def received_attention(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Return the attention [b, h, w] that all positions pay to each one in the last layer: one forward.

    Raises:
        UsageError: the model has no attention over all positions.
    """
    with WatchedAttention(model, images) as watched:
        model(images)
    return watched.received_attention()


def _own(values: Tensor, labels: Tensor) -> Tensor:
    """Select those of values [r, b, c] that belong to the examples' own classes: [r, b]."""
    return (values * soft_targets(labels, values.shape[-1]).to(values.dtype)).sum(-1)


def _at_positions(model: Any, images: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Logits [r, b, c] of the positions without class tokens, and a function that maps values [r, b]."""
    seen: list[Any] = []

    def features(x: Tensor) -> Any:
        seen.append(model.forward_features(x))
        return seen[-1]

    dense = dense_forward(model, images, features=features)
    logits = (dense.positions[:-1] if dense.class_tokens else dense.positions).float()
    grid = find_grid(model, seen[0], images) if seen else sequence_grid(model, len(logits), images)
    return logits, grid.as_map


GUIDES: dict[str, Guide] = {
    "gradient": input_gradient,
    "features": feature_map,
    "activation": class_activation,
    "evidence": class_evidence,
    "received": received_attention,
}
