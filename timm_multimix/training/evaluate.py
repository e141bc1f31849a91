"""Evaluation of the plain model during training: every sample counts once, with any number of processes."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from ..records.schema import Scores
from ..records.tasks import CLASSIFICATION, MULTI_LABEL
from ..sites.eval_mode import eval_mode
from ..sites.student import as_logits
from .distributed import share_buffers
from .state import exact

Batches = Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
Predictions = Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Count = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def evaluate(
    model: torch.nn.Module,
    batches: Batches,
    accelerator: Accelerator,
    layout: torch.memory_format,
    predict: Predict | None = None,
    task: str = CLASSIFICATION,
) -> Scores:
    """Measure a model over the batches of all processes; samples that are not valid do not count.

    Args:
        model: the plain model.
        batches: images, labels and whether they are valid.
        accelerator: the run's accelerator.
        layout: the memory layout of images.
        predict: logits [b, c] of images and labels; by default the model's output for the images.
        task: one of `TASKS`.
    """
    predictions = predict_batches(model, batches, accelerator, layout, predict)
    if task == CLASSIFICATION:
        return as_scores(add_up(count, predictions, accelerator))
    outputs, targets = collect(predictions, accelerator)
    return score_labels(outputs, targets) if task == MULTI_LABEL else score_numbers(outputs, targets)


def add_up(count: Count, predictions: Predictions, accelerator: Accelerator) -> torch.Tensor:
    """Return the sum, on the CPU, of `count(logits, labels, valid)` over the batches of all processes."""
    counts = torch.zeros((), dtype=exact(accelerator.device), device=accelerator.device)
    for logits, labels, valid in predictions:
        counts = counts + count(logits, labels, valid)
    return accelerator.reduce(counts.clone(), "sum").cpu()


def collect(predictions: Predictions, accelerator: Accelerator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and targets [n, c] of the valid samples of all processes, in float64 on the CPU."""
    found = [torch.cat([y, t.view(len(y), -1), v[:, None]], 1) for y, t, v in predictions]
    rows = accelerator.gather(torch.cat(found).to(exact(accelerator.device))).cpu().double()
    outputs, targets = rows[rows[:, -1] == 1, :-1].chunk(2, 1)
    return outputs, targets


def score_labels(outputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """Return binary cross-entropy, averaged over the classes, and mean average precision of logits [n, c]."""
    from ..evaluation.accuracy import mean_average_precision

    loss = F.binary_cross_entropy_with_logits(outputs, targets).item()
    return Scores(loss=loss, map=mean_average_precision(outputs, targets), samples=len(outputs))


def score_numbers(outputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """Return mean squared and mean absolute error of numbers [n, 1]."""
    from ..evaluation.accuracy import mean_absolute_error

    loss = F.mse_loss(outputs, targets).item()
    return Scores(loss=loss, mae=mean_absolute_error(outputs, targets), samples=len(outputs))


@torch.no_grad()
def predict_batches(
    model: torch.nn.Module,
    batches: Batches,
    accelerator: Accelerator,
    layout: torch.memory_format,
    predict: Predict | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield logits, labels and validity of this process's batches, on its device."""
    predict = predict or (lambda images, labels: as_logits(model(images)))
    share_buffers(model)
    with eval_mode(model), accelerator.autocast():
        for images, labels, valid in batches:
            images = images.to(accelerator.device, memory_format=layout, non_blocking=True)
            labels, valid = (x.to(accelerator.device, non_blocking=True) for x in (labels, valid))
            yield predict(images, labels).float(), labels, valid


def as_scores(sums: torch.Tensor) -> Scores:
    """Return means from the sums of `count`."""
    loss, correct1, correct5, samples = sums.tolist()
    top1, top5 = 100 * correct1 / samples, 100 * correct5 / samples
    return Scores(loss=loss / samples, top1=top1, top5=top5, samples=int(samples))


def count(logits: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Return sums over the valid rows of logits [b, c]: loss, correct top-1, correct top-5, samples."""
    loss = F.cross_entropy(logits.to(exact(logits.device)), labels, reduction="none")
    guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices
    right = guesses == labels[:, None]
    each = torch.stack([loss, right[:, 0].to(loss), right.any(1).to(loss), torch.ones_like(loss)])
    return each.where(valid, 0.0).sum(1)
