"""Outputs of a classifier for all images of a split, from one pass, kept on the CPU."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from .attacks import Model, attack
from .classifier import Classifier

Batches = Iterable[tuple[Tensor, Tensor]]


class Outputs(NamedTuple):
    """logits [n, classes], labels [n], embedding [n, d] (None: no last layer is known)."""

    logits: Tensor
    labels: Tensor
    embedding: Tensor | None


@torch.no_grad()
def collect(classifier: Classifier, batches: Batches) -> Outputs:
    """Return logits, labels and embedding of all images."""
    logits, labels, embeddings = [], [], []
    for pixels, targets in batches:
        output, embedding = classifier.embed(pixels)
        logits.append(output.float().cpu())
        labels.append(targets.cpu())
        if embedding is not None:
            embeddings.append(embedding.float().cpu())
    return Outputs(torch.cat(logits), torch.cat(labels), torch.cat(embeddings) if embeddings else None)


@torch.no_grad()
def accuracy(classifier: Classifier, batches: Batches) -> float:
    """Return top-1 in per cent."""
    right, count = 0, 0
    for pixels, labels in batches:
        right += int((classifier(pixels).argmax(1) == labels).sum())
        count += len(labels)
    return 100 * right / count


def accuracy_under_attack(
    classifier: Classifier,
    source: Model,
    batches: Batches,
    method: str,
    epsilon: float,
    steps: int,
    seed: int,
) -> float:
    """Return top-1 in per cent on images attacked with the gradients of `source`."""
    generator = torch.Generator(classifier.mean.device).manual_seed(seed)
    attacked = (
        (attack(method, source, pixels, labels, epsilon, steps, generator), labels)
        for pixels, labels in batches
    )
    return accuracy(classifier, attacked)
