"""Logits and attention at every position of a timm model's features, from one pass of the backbone.

Dense MultiMix (https://arxiv.org/abs/2311.05538) applies the classifier at every position. Here each
position goes through the model's own head as an image (or a sequence) of that one position.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional.attention import AttentionScore, position_attention
from .frozen_norm import batch_statistics, recorded_inputs, reused, uses_batch_statistics
from .layout import find_layout

# Models whose forward_features returns the class tokens alone: the head reads no other token.
_CLASS_TOKENS_ALONE = {"PoolingVisionTransformer"}


class Dense(NamedTuple):
    """Logits and embeddings at every position.

    Args:
        logits: the ordinary logits, [b, c].
        positions: logits of the positions, [r, b, c].
        embeddings: embeddings of the positions, [r, b, d]; None: there is one position.
        class_tokens: whether the last of the r is the ordinary logits, which the head computes from class
            tokens; it has no embedding.
    """

    logits: Tensor
    positions: Tensor
    embeddings: Tensor | None
    class_tokens: bool

    def attended(self, score: AttentionScore = "product") -> Tensor:
        """Attention [r, b] by `position_attention`, which adds up to one; that of class tokens is 1."""
        if self.embeddings is None:
            return _widened(self.logits).new_ones(1, len(self.logits))
        attention = position_attention(self.embeddings, score)
        if not self.class_tokens:
            return attention
        return torch.cat([attention, attention.new_ones(1, attention.shape[1])])

    @property
    def attention(self) -> Tensor:
        """Attention [r, b] as in the paper."""
        return self.attended()


def dense_forward(
    model: nn.Module,
    images: Tensor,
    *,
    attention_grad: bool = False,
    features: Callable[[Tensor], Any] | None = None,
    head: Callable[[Any], Any] | None = None,
) -> Dense:
    """Return the model's logits, the logits at each position and the positions' embeddings.

    `features` and `head` replace the model's forward_features and forward_head, for instance by compiled
    ones; a head that must take batch statistics is run uncompiled, and so are features that hold class tokens
    alone (pit). With features of several branches or scales (crossvit, coat, efficientvim) the last has the
    positions, and each position goes through the head together with the means of the others. A model without
    a map of positions returns one position, its logits, and warns.

    Raises:
        UsageError: the model is not one of timm's, or has no classifier.
    """
    plain: Any = getattr(model, "_orig_mod", model)
    _check_model(plain)
    maps = features_with_positions(plain, images, features)
    try:
        layout = find_layout(plain, maps)
        norms = [norm for norm in layout.norms if uses_batch_statistics(norm)]
        classify = plain.forward_head if head is None or norms else head
        with recorded_inputs(norms) as calls:
            logits = _one_tensor(classify(maps))
    except NotImplementedError as error:
        raise _no_classifier(plain) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise _no_classifier(plain)
    if layout.channels == 0:
        return Dense(logits, logits[None], None, class_tokens=False)
    embeddings = layout.positions(maps)
    with reused(batch_statistics(norm, x) for norm, x in calls):
        each = _one_tensor(classify(layout.images_of_one(embeddings, maps)))
    positions = each.view(*embeddings.shape[:2], -1)
    if layout.reads_prefix:
        positions = torch.cat([positions, logits[None]])
    attended = embeddings if attention_grad else embeddings.detach()
    return Dense(logits, positions, attended, layout.reads_prefix)


def features_with_positions(model: Any, images: Tensor, features: Callable[[Tensor], Any] | None) -> Any:
    """Return the head's input, with the positions even if forward_features leaves them out."""
    if not _CLASS_TOKENS_ALONE & {kind.__name__ for kind in type(model).__mro__}:
        return (features or model.forward_features)(images)
    tokens, (last,) = model.forward_intermediates(images, indices=1)
    return torch.cat([tokens, model.norm(last.flatten(2).transpose(1, 2))], dim=1)


def _widened(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _one_tensor(output: Any) -> Any:
    """Average the two outputs of a distilled model, as timm does in evaluation."""
    return torch.stack(list(output)).mean(dim=0) if isinstance(output, tuple) else output


def _check_model(model: nn.Module) -> None:
    if not (hasattr(model, "forward_features") and hasattr(model, "forward_head")):
        name = type(model).__name__
        raise UsageError(f"dense mixing needs a timm classifier with forward_features, got a {name}")
    if getattr(model, "num_classes", None) == 0:
        raise _no_classifier(model)


def _no_classifier(model: nn.Module) -> UsageError:
    name = type(model).__name__
    return UsageError(f"dense mixing needs a timm classifier that returns logits [b, classes], got a {name}")
