"""Mixers that give more than one interpolation of a pair, or interpolate more than two examples."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .draws import Draw, Tuples, _floating
from .mixing import _partners, mixing
from .sampling import beta_variates


@dataclass(frozen=True, eq=False)
class ManyPairs(Draw):
    """Each example is interpolated with one partner k times: row j b + i has the weight lam[j, i].

    lam [k, 1] or [k, b]; partner [b]; x [b, ...] becomes [k b, ...].
    """

    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = _floating(x)
        weight = self.lam.to(x.dtype).reshape(*self.lam.shape, *[1] * (x.dim() - 1))
        return torch.lerp(x[self.partner], x, weight).flatten(0, 1)

    def targets(self, targets: Tensor) -> Tensor:
        return self(targets)


@mixing
def multi_mixup(
    x: Tensor, k: int = 5, alpha: float = 1.0, per_sample: bool = False, generator: Generator | None = None
) -> Draw:
    """k interpolations of each pair of x [b, ...]: k b rows (arXiv:2406.01417, equation 3).

    Every lambda ~ Beta(alpha, alpha) is a draw of its own; one for the batch, or one per sample.

    Raises:
        ValueError: k is below one; alpha is negative or not finite.
    """
    if k < 1:
        raise ValueError(f"k={k} given, at least 1 is needed")
    columns = len(x) if per_sample else 1
    lam = beta_variates(k * columns, alpha, generator=generator, device=x.device)
    return ManyPairs(lam.view(k, columns), _partners(x, generator))


@mixing
def zeta_mixup(x: Tensor, gamma: float = 2.8, generator: Generator | None = None) -> Draw:
    """Interpolate all of x [b, ...] by the terms of a p-series in random order (arXiv:2204.03323, eq. 2).

    Row i gives its own example the largest weight, 1^-gamma, and the others 2^-gamma to b^-gamma in an order
    of its own, divided by their sum.

    Raises:
        ValueError: gamma is negative or not finite.
    """
    if not 0 <= gamma < float("inf"):
        raise ValueError(f"gamma={gamma} given, a finite number of at least 0 is needed")
    b = len(x)
    # float64: beyond gamma = 20 float32 has no room for the small terms' ratios.
    series = torch.arange(1, b + 1, device=x.device, dtype=torch.float64) ** -gamma
    terms = (series / series.sum()).float()
    keys = torch.rand(b, b, generator=generator, device=x.device)
    order = keys.fill_diagonal_(-1).argsort(dim=1)
    return Tuples(torch.empty_like(keys).scatter_(1, order, terms.expand(b, b)))
