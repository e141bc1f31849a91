"""Mixers that return several interpolations of a pair, or interpolate more than two examples."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag
from .draws import Draw, Tuples, as_floating, not_indices
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand
from .sampling import beta_variates


@dataclass(frozen=True, eq=False)
class ManyPairs(Draw):
    """k interpolations of each example with one partner: row j b + i has the weight lam[j, i].

    Args:
        lam: weights of the example itself, [k, 1] or [k, b].
        partner: indices of the partners, [b].
    """

    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        weight = self.lam.to(x.dtype).reshape(*self.lam.shape, *[1] * (x.dim() - 1))
        return torch.lerp(x[self.partner], x, weight).flatten(0, 1)

    def targets(self, targets: Tensor) -> Tensor:
        return self(not_indices(targets))


@mixing
def multi_mixup(
    x: Tensor,
    k: Count = 5,
    alpha: Concentration = 1.0,
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """multi-mix: mixup with k interpolations of every pair, for less noisy gradients.

    Each example has one partner and is interpolated with it k times, each time with another lambda ~
    Beta(alpha, alpha) (arXiv:2406.01417, equation 3), one for the batch or one `per_sample`; the loss is the
    mean over all k b rows. k = 5 was the paper's best. At the input and at a hidden layer the rest of the
    network processes k times as many examples and costs k times as much time and memory; at place='embedding'
    the extra interpolations are nearly free.

    Args:
        k: interpolations of every pair.

    Examples:
        >>> mixed, draw = F.multi_mixup(torch.rand(4, 3, 8, 8), k=5)
        >>> mixed.shape
        torch.Size([20, 3, 8, 8])
    """
    columns = len(x) if per_sample else 1
    lam = beta_variates(k * columns, alpha, generator=generator, device=x.device)
    return ManyPairs(lam.view(k, columns), find_partners(x, partner, generator))


@mixing
def zeta_mixup(x: Tensor, gamma: Concentration = 2.8, generator: Generator | None = None) -> Draw:
    """zeta-mixup: interpolate the whole batch by the terms of a p-series.

    In each row one example has the largest weight, 1^-gamma, and all the others have the terms 2^-gamma to
    b^-gamma in a random order, divided by their sum (arXiv:2204.03323, equation 2). With the paper's gamma =
    2.8 the largest weight is 0.8 and outweighs all others together; towards gamma = 0 the rows become the
    batch's mean, from which nothing can be learned. The product of b x b weights with the batch costs b
    multiplications for every value of it.

    Args:
        gamma: how fast the weights fall: 2.8 gives the example itself 0.8, 0 is the mean of the batch.

    Examples:
        >>> mixed, draw = F.zeta_mixup(torch.rand(4, 3, 8, 8))
        >>> draw.weights.diagonal()
        tensor([0.8262, 0.8262, 0.8262, 0.8262])
    """
    b = len(x)
    # float64: beyond gamma = 20 float32 has no room for the small terms' ratios.
    series = torch.arange(1, b + 1, device=x.device, dtype=torch.float64) ** -gamma
    terms = (series / series.sum()).float()
    keys = rand(b, b, generator=generator, device=x.device)
    order = keys.fill_diagonal_(-1).argsort(dim=1)
    return Tuples(torch.empty_like(keys).scatter_(1, order, terms.expand(b, b)))
