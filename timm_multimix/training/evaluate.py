"""Evaluation of the plain model: every sample counts once, on any number of processes."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from ..sites.eval_mode import eval_mode
from ..sites.student import as_logits
from .distributed import share_buffers
from .state import exact


class Evaluation(NamedTuple):
    """Cross-entropy per sample, top-1 and top-5 accuracy in per cent, and how many samples they are of."""

    loss: float
    top1: float
    top5: float
    samples: int


Batches = Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Count = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def evaluate(
    model: torch.nn.Module,
    batches: Batches,
    accelerator: Accelerator,
    layout: torch.memory_format,
    predict: Predict | None = None,
) -> Evaluation:
    """Accuracy and loss over the batches of all processes; samples that are not valid do not count.

    predict: logits [b, c] of images and labels; by default what the model makes of the images.
    """
    sums = add_up(count, model, batches, accelerator, layout, predict)
    return as_evaluation(sums)


def add_up(
    count: Count,
    model: torch.nn.Module,
    batches: Batches,
    accelerator: Accelerator,
    layout: torch.memory_format,
    predict: Predict | None = None,
) -> torch.Tensor:
    """The sum, on the CPU, of `count(logits, labels, valid)` over the batches of all processes."""
    predict = predict or (lambda images, labels: as_logits(model(images)))
    share_buffers(model)
    counts = torch.zeros((), dtype=exact(accelerator.device), device=accelerator.device)
    with eval_mode(model), torch.no_grad(), accelerator.autocast():
        for images, labels, valid in batches:
            images = images.to(accelerator.device, memory_format=layout, non_blocking=True)
            labels, valid = (x.to(accelerator.device, non_blocking=True) for x in (labels, valid))
            counts = counts + count(predict(images, labels).float(), labels, valid)
    return accelerator.reduce(counts.clone(), "sum").cpu()


def as_evaluation(sums: torch.Tensor) -> Evaluation:
    """Means of what `count` added up."""
    loss, correct1, correct5, samples = sums.tolist()
    return Evaluation(loss / samples, 100 * correct1 / samples, 100 * correct5 / samples, int(samples))


def count(logits: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Sums over the valid rows of logits [b, c]: loss, right first guesses, right among five, samples."""
    loss = F.cross_entropy(logits.to(exact(logits.device)), labels, reduction="none")
    guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices
    right = guesses == labels[:, None]
    each = torch.stack([loss, right[:, 0].to(loss), right.any(1).to(loss), torch.ones_like(loss)])
    return each.where(valid, 0.0).sum(1)
