"""Attention of positions that knows no classes, made of their embeddings alone."""

from collections.abc import Callable

import torch
from torch import Tensor

AttentionScore = str | Callable[[Tensor], Tensor]
"""One of SCORES by name, or a function of embeddings [r, b, d] that gives scores [r, b] of at least 0."""

_EPSILON = 1e-6


def position_attention(embeddings: Tensor, score: AttentionScore = "product") -> Tensor:
    """Attention [r, b] of the embeddings [r, b, d] of r positions, positive and adding up to one over them.

    What is l1-normalised is, by `score` (arXiv:2311.05538, section 3.3 and its ablation), `product`: relu(z .
    GAP(z)), the position's product with the mean of all; `gap`: relu of the mean over its channels, which
    behind a layer normalisation is the same everywhere; `uniform`: 1. A small number, added to all, stands in
    where every score is zero. In float32 at least.

    Raises:
        ValueError: an unknown score, or a function whose scores are not [r, b].
    """
    wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    scores = (find_score(score)(wide)).to(wide.dtype)
    if scores.shape != wide.shape[:2]:
        raise ValueError(f"attention must be scores {list(wide.shape[:2])}, got {list(scores.shape)}")
    scores = scores + _EPSILON
    return scores / scores.sum(dim=0)


def find_score(score: AttentionScore) -> Callable[[Tensor], Tensor]:
    """The function of that name, or the function itself. Raises: ValueError, there is none."""
    if callable(score):
        return score
    if not isinstance(score, str) or score not in SCORES:
        raise ValueError(f"attention must be one of {', '.join(SCORES)} or a function, got {score!r}")
    return SCORES[score]


def feature_attention(features: Tensor, score: AttentionScore = "product") -> Tensor:
    """`position_attention` [b, h, w] of feature maps [b, d, h, w]."""
    attention = position_attention(features.flatten(2).permute(2, 0, 1), score)
    return attention.T.unflatten(1, features.shape[2:])


def _product(embeddings: Tensor) -> Tensor:
    return (embeddings * embeddings.mean(dim=0)).sum(dim=-1).relu()


def _gap(embeddings: Tensor) -> Tensor:
    return embeddings.mean(dim=-1).relu()


def _uniform(embeddings: Tensor) -> Tensor:
    return embeddings.new_ones(embeddings.shape[:2])


SCORES: dict[str, Callable[[Tensor], Tensor]] = {"product": _product, "gap": _gap, "uniform": _uniform}
