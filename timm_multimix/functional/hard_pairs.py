"""Losses for hard labels: a mixed row's losses against its two labels, weighted by lambda."""

from collections.abc import Callable
from functools import singledispatch
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UsageError
from .choose import Chosen
from .criteria import Criterion
from .draws import Draw, Identity, KeepTargets, Masks, Pairs
from .many import ManyPairs
from .resize import Resized


class PairForm(NamedTuple):
    """The targets of n mixed rows as pairs: lam t[own] + (1 - lam) t[partner].

    Args:
        lam: weight of the first target, [n].
        own: index of the first target, [n].
        partner: index of the second target, [n].

    Examples:
        >>> F.PairForm(torch.tensor([0.7]), own=torch.tensor([0]), partner=torch.tensor([3])).partner
        tensor([3])
    """

    lam: Tensor
    own: Tensor
    partner: Tensor


@singledispatch
def pair_form(draw: Draw, b: int, device: torch.device) -> PairForm:
    """Write the targets of a draw's mixed rows as pairs of the examples' targets.

    Args:
        draw: a draw that mixes at most two targets in each row.
        b: number of clean examples.
        device: device of the result.

    Raises:
        UsageError: the draw mixes more than two targets.

    Examples:
        >>> draw = F.mixup.draw(torch.rand(4, 3, 8, 8), partner="reversed")
        >>> F.pair_form(draw, 4, torch.device("cpu")).partner
        tensor([3, 2, 1, 0])
    """
    raise UsageError(
        f"hard labels need a draw of pairs, as of mixup, cutmix, resizemix and multi_mixup, got a draw of "
        f"{type(draw).__name__}"
    )


@pair_form.register
def _(draw: Identity, b: int, device: torch.device) -> PairForm:
    own = torch.arange(b, device=device)
    return PairForm(torch.ones(b, device=device, dtype=torch.float32), own, own)


@pair_form.register
def _(draw: KeepTargets, b: int, device: torch.device) -> PairForm:
    return pair_form(Identity(), b, device)


@pair_form.register(Pairs)
@pair_form.register(Masks)
@pair_form.register(Resized)
def _(draw: Pairs | Masks | Resized, b: int, device: torch.device) -> PairForm:
    return PairForm(draw.lam.expand(b), torch.arange(b, device=device), draw.partner)


@pair_form.register
def _(draw: ManyPairs, b: int, device: torch.device) -> PairForm:
    k = len(draw.lam)
    own = torch.arange(b, device=device).repeat(k)
    return PairForm(draw.lam.expand(k, b).flatten(), own, draw.partner.repeat(k))


@pair_form.register
def _(draw: Chosen, b: int, device: torch.device) -> PairForm:
    lam, own, partner = (
        torch.stack(parts) for parts in zip(*(pair_form(d, b, device) for d in draw.draws), strict=True)
    )
    row = torch.arange(b, device=device)
    return PairForm(lam[draw.index, row], own[draw.index, row], partner[draw.index, row])


class HardPairs(Criterion):
    """A criterion for hard labels, applied to pairs: lam crit(z, y) + (1 - lam) crit(z, y[partner]).

    As the criterion of a MixTask it takes the place of one for soft targets.

    Args:
        criterion: takes logits [n, c] and class indices [n] and returns the losses [n], as torch's criteria
            do with `reduction='none'`.

    Examples:
        >>> criterion = F.HardPairs(torch.nn.MultiMarginLoss(reduction="none"))
        >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
        tensor(1.5000)
    """

    name = "HardPairs"
    hard = True

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.criterion = criterion
        self.module = criterion if isinstance(criterion, torch.nn.Module) else None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of clean logits [n, c] against class indices [n] or one-hot targets [n, c]."""
        return self._losses(logits, _labels(targets)).mean()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self(logits.flatten(0, -2), targets.flatten(0, -2))

    def loss_of_mixed(self, draw: Draw, output: Tensor, targets: Tensor) -> Tensor:
        return self.mixed(draw, output, targets)

    def mixed(self, draw: Draw, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of the logits of mixed rows.

        Args:
            draw: the draw that mixed them.
            logits: [n, c], or [n, r, c] at r positions.
            targets: the b clean examples' class indices [b], or one-hot targets [b, c] or [b, r, c].

        Raises:
            UsageError: the draw mixes more than two targets.
        """
        labels, shape = _labels(targets), logits.shape[:-1]
        lam, own, partner = pair_form(draw, len(labels), logits.device)
        logits = logits.flatten(0, -2)
        by_own = self._losses(logits, _spread(labels[own], shape))
        by_partner = self._losses(logits, _spread(labels[partner], shape))
        return torch.lerp(by_partner, by_own, _spread(lam, shape).to(by_own.dtype)).mean()

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = self.criterion(logits, labels)
        if losses.shape != labels.shape:
            raise UsageError(
                f"the criterion of HardPairs must return a loss for each of {len(labels)} examples, as with "
                f"reduction='none', got shape {list(losses.shape)}"
            )
        return losses


def _labels(targets: Tensor) -> Tensor:
    if targets.dim() == 1:
        return targets
    return targets.squeeze(-1).long() if targets.shape[-1] == 1 else targets.argmax(-1)


def _spread(rows: Tensor, shape: torch.Size) -> Tensor:
    """Expand values of the rows [n], or [n, r], to logits of `shape` [n] or [n, r], flattened."""
    return rows.view(*rows.shape, *[1] * (len(shape) - rows.dim())).expand(shape).flatten()
