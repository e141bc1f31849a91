"""Guides: what the model finds in the clean images, for the mixers that draw by it.

A guide is one more pass through the model itself, inside of any distributed wrapper, in eval mode: running
statistics, dropout's random numbers and the parameters' gradients stay as they were without it.
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

Guide = Callable[[Any, Tensor, Tensor, Criterion], Tensor]


@torch.compiler.disable
def compute_guide(
    name: str, model: nn.Module, images: Tensor, labels: Tensor | None, criterion: AnyCriterion = "softmax"
) -> Tensor:
    """The guide of this name, one of GUIDES (see Context), of clean images.

    labels: class indices [b] or targets [b, c].

    Raises:
        UsageError: no labels, or a model whose last features are no map.
    """
    if labels is None:
        raise UsageError(f"no labels given, the guide {name!r} needs class indices [b] or targets [b, c]")
    with undisturbed(model, images.device, grad=True):
        return GUIDES[name](model, images.detach(), labels, find_criterion(criterion))


def input_gradient(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Gradient [b, ch, h, w] of each image's loss with respect to it: one forward, one backward."""
    images = (images if images.is_floating_point() else images.float()).requires_grad_()
    with torch.enable_grad():
        logits = as_logits(model(images))
        # The criterion gives the mean over the batch; in eval mode the examples know nothing of each other.
        loss = len(images) * criterion.loss(logits, soft_targets(labels, logits.shape[-1]))
        (gradient,) = torch.autograd.grad(loss, images)
    return gradient


@torch.no_grad()
def feature_map(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """The last feature map [b, d, h, w]: one forward."""
    features = last_features(model, images)
    grid = find_grid(model, features, images)
    return grid.as_map(grid.layout.positions(features))


@torch.no_grad()
def class_activation(model: Any, images: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
    """Class activation [b, h, w], the probability of the image's own class at every position: one forward.

    The head gives the positions' logits; with targets [b, c] the probabilities are averaged by them.
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
    """Attention [b, h, w] that the positions pay to each position in the last layer: one forward.

    Raises:
        UsageError: the model has no attention over all positions.
    """
    with WatchedAttention(model, images) as watched:
        model(images)
    return watched.received_attention()


def _own(values: Tensor, labels: Tensor) -> Tensor:
    """Of values [r, b, c] those [r, b] of the examples' own classes."""
    return (values * soft_targets(labels, values.shape[-1]).to(values.dtype)).sum(-1)


def _at_positions(model: Any, images: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Logits [r, b, c] of the positions without class tokens, and what makes maps of values [r, b]."""
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
