"""The geometry of an embedding [n, d]: alignment, uniformity, and spread of the classes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 1024


def alignment(embedding: Tensor, labels: Tensor) -> float:
    """Mean squared distance of two images of one class on the unit sphere, 0 to 4; lower is better.

    Over all pairs i < j of equal labels, from the classes' sums, without computing the pairs (Wang & Isola
    2020, arXiv:2005.10242, with alpha = 2 and classes instead of augmentations). NaN without a pair.
    """
    unit = _unit(embedding)
    counts, sums = _class_sums(unit, labels)
    pairs = (counts * (counts - 1)).sum()
    # sum over i != j of z_i z_j is |sum z|^2 - sum |z|^2, and |z_i - z_j|^2 = |z_i|^2 + |z_j|^2 - 2 z_i z_j
    squares = unit.square().sum(1)
    products = sums.square().sum() - squares.sum()
    lengths = 2 * (squares * (counts[labels] - 1)).sum()
    return ((lengths - 2 * products) / pairs).item() if pairs else math.nan


def uniformity(embedding: Tensor, t: float = 2.0) -> float:
    """Log of the mean of exp(-t |z_i - z_j|^2) over all pairs on the unit sphere; lower is better, 0 worst.

    arXiv:2005.10242, equation 2. Exact, over all n (n - 1) / 2 pairs, in chunks. NaN for one image.
    """
    unit, total = _unit(embedding), 0.0
    count = len(unit)
    if count < 2:
        return math.nan
    for start in range(0, count, _CHUNK):
        distances = torch.cdist(unit[start : start + _CHUNK], unit[start:]).square()
        # each pair once: above the diagonal of what begins at this chunk
        total += distances.mul(-t).exp().triu(1).sum().item()
    return math.log(total / (count * (count - 1) / 2))


def class_spread(embedding: Tensor, labels: Tensor) -> dict[str, float]:
    """Split the variance on the unit sphere into that within classes and that between them.

    within: mean squared distance of an image from its class's mean; between: mean over images of the
    squared distance of its class's mean from the overall mean. They add up to the whole variance; `ratio` is
    within / between, low if classes are narrow and far apart (neural collapse: 0).
    """
    unit = _unit(embedding)
    counts, sums = _class_sums(unit, labels)
    means = (sums / counts.clamp(min=1)[:, None])[labels]
    within = (unit - means).square().sum(1).mean().item()
    between = (means - unit.mean(0)).square().sum(1).mean().item()
    return {"within": within, "between": between, "ratio": within / between if between else math.nan}


def summarize_embedding(embedding: Tensor, labels: Tensor) -> dict[str, object]:
    """Return alignment, uniformity and spread of the embedding, and its size."""
    return {
        "dimensions": embedding.shape[1],
        "alignment": alignment(embedding, labels),
        "uniformity": uniformity(embedding),
        "class_spread": class_spread(embedding, labels),
    }


def _unit(embedding: Tensor) -> Tensor:
    return F.normalize(embedding.double(), dim=1)


def _class_sums(rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of rows per class, [c], and their sums [c, d]."""
    classes = int(labels.max()) + 1
    counts = torch.bincount(labels, minlength=classes).to(rows.dtype)
    return counts, rows.new_zeros(classes, rows.shape[1]).index_add(0, labels, rows)
