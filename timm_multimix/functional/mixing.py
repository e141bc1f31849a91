"""The methods as pure functions: each draws for a tensor and gives the mixed tensor with its draw.

Every function is written as its draw alone; `mixing` adds the application, and keeps the draw reachable:
`mixup(x)` is `(mixed, draw)`, `mixup.draw(x)` is the draw.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, Generic, ParamSpec

import torch
from torch import Generator, Tensor

from .draws import Draw, Identity, KeepTargets, Masks, Pairs
from .sampling import beta_variates

P = ParamSpec("P")


class mixing(Generic[P]):
    """Makes of `sample(x, ...) -> draw` the function `(x, ...) -> (mixed, draw)`."""

    def __init__(self, sample: Callable[Concatenate[Tensor, P], Draw]) -> None:
        self.draw = sample
        update_wrapper(self, sample)

    def __call__(self, x: Tensor, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Draw]:
        draw = self.draw(x, *args, **kwargs)
        return draw(x), draw

    def __reduce__(self) -> str:
        # Pickled by its name, as functions are: under that name the module holds this, not the draw alone.
        return self.draw.__name__


@mixing
def none(x: Tensor, generator: Generator | None = None) -> Draw:
    """No mixing: x [b, ...] as it is."""
    return Identity()


@mixing
def sample_pairing(x: Tensor, generator: Generator | None = None) -> Draw:
    """Average x [b, ...] with a random partner and keep the first one's target (arXiv:1801.02929)."""
    return KeepTargets(Pairs(torch.full((1,), 0.5, device=x.device), _partners(x, generator)))


@mixing
def mixup(
    x: Tensor, alpha: float = 1.0, per_sample: bool = False, generator: Generator | None = None
) -> Draw:
    """Interpolate x [b, ...] with a partner by lambda ~ Beta(alpha, alpha) (arXiv:1710.09412, equation 1).

    One lambda for the batch, or one per sample; alpha = 0 is the limit, empirical risk minimisation.
    """
    lam = beta_variates(len(x) if per_sample else 1, alpha, generator=generator, device=x.device)
    return Pairs(lam, _partners(x, generator))


@mixing
def cutmix(
    x: Tensor,
    alpha: float = 1.0,
    per_sample: bool = False,
    correct: bool = True,
    generator: Generator | None = None,
) -> Draw:
    """Paste a box of a partner into x [b, ch, h, w] (arXiv:1905.04899, equations 1 and 2).

    The box has the area 1 - lambda, lambda ~ Beta(alpha, alpha), and a uniform centre; it is clipped at the
    border. `correct`: the target weight is the area really kept, else the lambda that was drawn.

    Raises:
        ValueError: x is not [b, ch, h, w].
    """
    if x.dim() != 4:
        raise ValueError(f"cutmix needs images or feature maps [b, ch, h, w], given {list(x.shape)}")
    area = beta_variates(len(x) if per_sample else 1, alpha, generator=generator, device=x.device)
    keep = _outside_boxes(area, x.shape[-2], x.shape[-1], generator)
    kept = keep.mean(dim=(1, 2, 3)) if correct else 1 - area
    return Masks(keep, kept, _partners(x, generator))


def _partners(x: Tensor, generator: Generator | None) -> Tensor:
    return torch.randperm(len(x), generator=generator, device=x.device)


def _outside_boxes(area: Tensor, height: int, width: int, generator: Generator | None) -> Tensor:
    """Ones, and zeros in boxes of these relative areas [k] about uniform centres: [k, 1, h, w].

    A side is floor(sqrt(area) * length) cells, clipped at the border. Of tensors so small the number of
    operations is the cost, so rows and columns of a square are made together.
    """
    side = area.sqrt().view(-1, 1, 1)
    if height == width:
        rows, columns = _outside_intervals(side, 2, height, generator).unbind(1)
    else:
        rows = _outside_intervals(side, 1, height, generator).squeeze(1)
        columns = _outside_intervals(side, 1, width, generator).squeeze(1)
    return torch.maximum(rows.unsqueeze(2), columns.unsqueeze(1)).unsqueeze(1)


def _outside_intervals(side: Tensor, count: int, length: int, generator: Generator | None) -> Tensor:
    """1 outside `count` intervals of floor(side [k, 1, 1] * length) cells, 0 in them: [k, count, length]."""
    shape = (len(side), count, 1)
    centres = torch.randint(length, shape, generator=generator, device=side.device, dtype=side.dtype)
    # Counted from a quarter on, cells are 1/4, 3/4, 5/4 ... from a centre, one at each of these distances:
    # as many are no farther than half a side less a quarter as the side has whole cells.
    cells = torch.arange(0.25, length, device=side.device)
    return (cells - centres).abs_().gt_(torch.rsub(side, -0.25, alpha=-length / 2))
