"""A plot of an embedding: t-SNE to the plane, one colour per class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..figures import literal
from ..files import replacing

MOST_POINTS = 2000
MOST_NAMES = 20


def project(embedding: Tensor, seed: int = 0) -> np.ndarray:
    """Project an embedding [n, d] on the unit sphere to the plane [n, 2], by scikit-learn's t-SNE."""
    from sklearn.manifold import TSNE

    unit = F.normalize(embedding.double(), dim=1).numpy()
    perplexity = min(30.0, max(1.0, (len(unit) - 1) / 3))
    method = TSNE(init="pca", perplexity=perplexity, random_state=seed % 2**32, max_iter=1000)
    return np.asarray(method.fit_transform(unit.astype(np.float32)))


def draw_embedding(
    embedding: Tensor, labels: Tensor, names: Sequence[str], title: str, file: Path, seed: int = 0
) -> int:
    """Draw an embedding [n, d] with labels [n] into a file; returns the number of points.

    Of more than 2000 images, 2000 evenly spaced ones are drawn. Of more than 20 classes the 20 most
    frequent have colours and names, the others are grey.
    """
    from matplotlib.figure import Figure

    chosen = torch.arange(min(len(labels), MOST_POINTS)) * len(labels) // min(len(labels), MOST_POINTS)
    points, classes = project(embedding[chosen], seed), labels[chosen].numpy()
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    panel = figure.subplots()
    named = _most_frequent(classes)
    others = ~np.isin(classes, named)
    if others.any():
        _scatter(panel, points[others], "0.88", "other classes", size=7)
    for place, label in enumerate(named):
        _scatter(panel, points[classes == label], _colour(place, len(named)), names[label])
    panel.set_title(title, fontsize=11)
    panel.set(xticks=[], yticks=[])
    panel.set_aspect("equal", adjustable="datalim")
    panel.spines[:].set_visible(False)
    figure.legend(
        *panel.get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        markerscale=2,
        fontsize=9,
    )
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=150)
    return len(points)


def _most_frequent(classes: np.ndarray) -> list[int]:
    values, counts = np.unique(classes, return_counts=True)
    return sorted(int(value) for value in values[np.argsort(-counts, kind="stable")][:MOST_NAMES])


def _colour(place: int, count: int) -> Any:
    from matplotlib import colormaps

    if count <= 10:
        return colormaps["tab10"](place)
    greys = (14, 15)  # of tab20, too like the other classes; two of tab20b stand for them
    return colormaps["tab20b"](4 * (place - 14) + 4) if place in greys else colormaps["tab20"](place)


def _scatter(panel: Any, points: np.ndarray, colour: Any, name: str, size: int = 14) -> None:
    panel.scatter(*points.T, s=size, color=[colour], alpha=0.85, linewidths=0, label=literal(name, 24))
