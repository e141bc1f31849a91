"""Adversarial attacks in pixel space, within a budget around each image and within [0, 1]."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Model = Callable[[Tensor], Tensor]

STEPS = 10


def attack(
    method: str,
    model: Model,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int = STEPS,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Change images [b, c, h, w] by at most epsilon so that `model`, which returns logits, errs.

    Untargeted: the loss of the true labels [b] is increased. With another model than the one that is
    evaluated it is a black-box attack by transfer.

    - fgsm: one step of size epsilon up the sign of the gradient (Goodfellow et al. 2015, arXiv:1412.6572).
    - ifgsm: steps of 2.5 epsilon / steps from the image itself (Kurakin et al. 2017, arXiv:1607.02533). With
      one step, FGSM.
    - pgd: iterated FGSM from a random point in the budget (Madry et al. 2018, arXiv:1706.06083).
    """
    steps = 1 if method == "fgsm" else steps
    size = epsilon if steps == 1 else 2.5 * epsilon / steps
    point = _random_point(pixels, epsilon, generator) if method == "pgd" else pixels
    for _ in range(steps):
        point = _step(model, point, labels, pixels, size, epsilon)
    return point


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log of (1 - p) / p, [b], for the probability p of the label, from logits [b, c].

    Its gradient is the cross-entropy's divided by 1 - p: of the same sign, but not rounded to zero where the
    model is certain.
    """
    truth = F.one_hot(labels, logits.shape[1]).bool()
    return logits.masked_fill(truth, -torch.inf).logsumexp(1) - logits[truth]


def _random_point(pixels: Tensor, epsilon: float, generator: torch.Generator | None) -> Tensor:
    """Return images within the budget around `pixels`, each value drawn evenly."""
    noise = torch.rand(pixels.shape, generator=generator, dtype=pixels.dtype, device=pixels.device)
    return _project(pixels + (2 * noise - 1) * epsilon, pixels, epsilon)


def _step(model: Model, point: Tensor, labels: Tensor, pixels: Tensor, size: float, epsilon: float) -> Tensor:
    """Return the images after a step of `size` up the sign of the gradient, within the budget."""
    point = point.detach().requires_grad_(True)
    with torch.enable_grad():
        loss = log_odds(model(point), labels).sum()
    (gradient,) = torch.autograd.grad(loss, point)
    return _project(point.detach() + size * gradient.sign(), pixels, epsilon)


def _project(point: Tensor, pixels: Tensor, epsilon: float) -> Tensor:
    """Return the nearest images within epsilon of `pixels` and within [0, 1]."""
    return point.clamp(pixels - epsilon, pixels + epsilon).clamp(0, 1)
