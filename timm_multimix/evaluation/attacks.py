"""Adversarial attacks in pixel space, within a budget around each image and within [0, 1]."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Model = Callable[[Tensor], Tensor]

STEPS = 10
METHODS = ("fgsm", "ifgsm", "pgd")


def fgsm(model: Model, pixels: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """One step of size epsilon up the sign of the gradient (Goodfellow et al. 2015, arXiv:1412.6572)."""
    return _step(model, pixels, labels, pixels, epsilon, epsilon)


def iterated_fgsm(model: Model, pixels: Tensor, labels: Tensor, epsilon: float, steps: int = STEPS) -> Tensor:
    """Steps of 2.5 epsilon / steps from the image itself (Kurakin et al. 2017, arXiv:1607.02533).

    With one step, FGSM.
    """
    return _ascend(model, pixels, labels, pixels, epsilon, steps)


def pgd(
    model: Model,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int = STEPS,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Iterated FGSM from a random point in the budget (Madry et al. 2018, arXiv:1706.06083)."""
    noise = torch.rand(pixels.shape, generator=generator, dtype=pixels.dtype, device=pixels.device)
    start = _project(pixels + (2 * noise - 1) * epsilon, pixels, epsilon)
    return _ascend(model, pixels, labels, start, epsilon, steps)


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
    """
    if method == "fgsm":
        return fgsm(model, pixels, labels, epsilon)
    if method == "ifgsm":
        return iterated_fgsm(model, pixels, labels, epsilon, steps)
    return pgd(model, pixels, labels, epsilon, steps, generator)


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log of (1 - p) / p, [b], for the probability p of the label, from logits [b, c].

    Its gradient is the cross-entropy's divided by 1 - p: of the same sign, but not rounded to zero where the
    model is certain.
    """
    truth = F.one_hot(labels, logits.shape[1]).bool()
    return logits.masked_fill(truth, -torch.inf).logsumexp(1) - logits[truth]


def _ascend(
    model: Model, pixels: Tensor, labels: Tensor, start: Tensor, epsilon: float, steps: int
) -> Tensor:
    size = epsilon if steps == 1 else 2.5 * epsilon / steps
    point = start
    for _ in range(steps):
        point = _step(model, point, labels, pixels, size, epsilon)
    return point


def _step(model: Model, point: Tensor, labels: Tensor, pixels: Tensor, size: float, epsilon: float) -> Tensor:
    point = point.detach().requires_grad_(True)
    with torch.enable_grad():
        loss = log_odds(model(point), labels).sum()
    (gradient,) = torch.autograd.grad(loss, point)
    return _project(point.detach() + size * gradient.sign(), pixels, epsilon)


def _project(point: Tensor, pixels: Tensor, epsilon: float) -> Tensor:
    return point.clamp(pixels - epsilon, pixels + epsilon).clamp(0, 1)
