"""Attention of positions, computed from their embeddings alone, without a classifier."""

from collections.abc import Callable

import torch
from torch import Tensor

AttentionScore = str | Callable[[Tensor], Tensor]
"""One of SCORES by name, or a function of embeddings [r, b, d] that gives scores [r, b] of at least 0."""

_EPSILON = 1e-6


def position_attention(embeddings: Tensor, score: AttentionScore = "product") -> Tensor:
    """Compute how much attention each position of the embeddings gets (arXiv:2311.05538, section 3.3).

    A score of every position is l1-normalised over the positions, in float32 at least. A small number is
    added to all scores, so that they are equal where every score is zero.

    Args:
        embeddings: [r, b, d], of r positions.
        score: `product`: relu(z . GAP(z)), the product of a position's embedding z with the mean embedding,
            the paper's; `gap`: relu of the mean over the channels of z, which behind a layer normalisation is
            the same everywhere; `uniform`: 1 (both of the paper's ablation); or a function of embeddings
            [r, b, d] that returns scores [r, b] of at least 0.

    Returns:
        Attention [r, b], positive, which adds up to one over the positions.

    Raises:
        ValueError: an unknown score, or a function whose scores are not [r, b].

    Examples:
        >>> F.position_attention(torch.rand(49, 4, 16)).sum(dim=0)
        tensor([1.0000, 1.0000, 1.0000, 1.0000])
    """
    wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    scores = (find_score(score)(wide)).to(wide.dtype)
    if scores.shape != wide.shape[:2]:
        raise ValueError(f"attention must be scores {list(wide.shape[:2])}, got {list(scores.shape)}")
    scores = scores + _EPSILON
    return scores / scores.sum(dim=0)


def find_score(score: AttentionScore) -> Callable[[Tensor], Tensor]:
    """Return the function that a score's name stands for, or the function itself.

    Args:
        score: one of SCORES, or a function.

    Raises:
        ValueError: no score has that name.
    """
    if callable(score):
        return score
    if not isinstance(score, str) or score not in SCORES:
        raise ValueError(f"attention must be one of {', '.join(SCORES)} or a function, got {score!r}")
    return SCORES[score]


def feature_attention(features: Tensor, score: AttentionScore = "product") -> Tensor:
    """Compute how much attention each position of feature maps gets, see `position_attention`.

    Args:
        features: feature maps [b, d, h, w].
        score: as in `position_attention`.

    Returns:
        Attention [b, h, w], positive, which adds up to one for every example.

    Examples:
        >>> F.feature_attention(torch.rand(4, 16, 7, 7)).shape
        torch.Size([4, 7, 7])
    """
    attention = position_attention(features.flatten(2).permute(2, 0, 1), score)
    return attention.T.unflatten(1, features.shape[2:])


def _product(embeddings: Tensor) -> Tensor:
    return (embeddings * embeddings.mean(dim=0)).sum(dim=-1).relu()


def _gap(embeddings: Tensor) -> Tensor:
    return embeddings.mean(dim=-1).relu()


def _uniform(embeddings: Tensor) -> Tensor:
    return embeddings.new_ones(embeddings.shape[:2])


SCORES: dict[str, Callable[[Tensor], Tensor]] = {"product": _product, "gap": _gap, "uniform": _uniform}
