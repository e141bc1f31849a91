"""SnapMix: paste a resized box of the partner, with labels by the evidence of the classes in the boxes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Flag
from .draws import Draw, Masks, as_floating, check_size, is_map
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .precision import without_autocast
from .rand import rand
from .sampling import beta_variates
from .transmix import Scored


@dataclass(frozen=True, eq=False)
class Cropped(Masks):
    """Masks outside of which a box of the partner is shown, moved and resized.

    Args:
        rows: weights that move and resize the rows, [1, h, h].
        columns: weights that move and resize the columns, [1, w, w].
    """

    rows: Tensor
    columns: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        with without_autocast(x.device):
            rows, columns = self.rows.to(x.dtype).unsqueeze(1), self.columns.to(x.dtype).unsqueeze(1)
            pasted = rows @ x[self.partner] @ columns.mT
        return torch.where(self.keep, x, pasted)

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            check_size(targets, (self.keep.shape[-2], self.keep.shape[-1]))
            return self(targets)
        return super().targets(targets)


@mixing
def snapmix(
    x: Tensor,
    evidence: Tensor,
    alpha: Concentration = 5.0,
    normalize: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """SnapMix: paste a resized box of the partner, labels by the evidence of the classes in the boxes.

    Two boxes are drawn as in CutMix, each with the area 1 - lambda of its own lambda ~ Beta(alpha, alpha);
    the partner's content of the second is resized to the first, bilinearly with corners aligned. The
    evidence, at the size of x, minus its minimum and divided by its sum, says what share of the class is
    where. The example's label has the share outside of its box, the partner's label the share inside of the
    box it comes from (arXiv:2012.04846 and the authors' code); the two add up to one only with `normalize`.
    alpha = 5 is the paper's. Where a map is constant the share is the area's. The authors' code doubles the
    loss of pairs of one class; this function does not. It costs a forward; the boxes are drawn once for the
    batch.

    Args:
        x: images [b, ch, h, w].
        evidence: logit of each clean image's own class at every position, [b, h', w'].
        normalize: whether the two shares of a mix are made to add up to one.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.snapmix(torch.rand(4, 3, 32, 32), torch.rand(4, 4, 4))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("snapmix", x)
    area = 1 - beta_variates(2, alpha, generator=generator, device=x.device)
    side = area.sqrt().unsqueeze(1)
    centre = rand(2, 2, generator=generator, device=x.device)
    (top, bottom), (left, right) = (
        _interval(side, length, where) for length, where in zip((height, width), centre, strict=True)
    )
    some = ((bottom > top) & (right > left)).all()
    inside = _inside(top, bottom, height).unsqueeze(2) & _inside(left, right, width).unsqueeze(1) & some
    keep, share = ~inside[:1].unsqueeze(1), inside.float().mean((1, 2))
    chosen = find_partners(x, partner, generator)
    rows, columns = _resizing(top, bottom, height), _resizing(left, right, width)
    mask = Cropped(keep, 1 - share[:1], chosen, rows, columns)
    own, other = _shares(evidence, inside, share)
    other = torch.where(some, other[chosen], 0.0)
    total = (own + other).clamp_min(1e-12)
    return Scored(mask, own / total, other / total) if normalize else Scored(mask, own, other)


def _interval(side: Tensor, length: int, where: Tensor) -> tuple[Tensor, Tensor]:
    """Start and end [2, 1] of intervals of floor(side [2, 1] length) cells about a uniform cell, clipped."""
    extent = (side * length).long()
    start = (where.unsqueeze(1) * length).long() - extent // 2
    return start.clamp_min(0), (start + extent).clamp_max(length)


def _inside(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Return booleans [2, length]: the cells from start to end."""
    cell = torch.arange(length, device=start.device)
    return (cell >= start) & (cell < end)


def _resizing(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Return weights [1, length, length] that resize the second of two intervals [2, 1] to the first.

    Bilinear with corners aligned: the k-th of n cells is at k (m - 1) / (n - 1) of m.
    """
    cell = torch.arange(length, device=start.device, dtype=torch.float32)
    cells = end - start
    step = (cells[1] - 1).float() / (cells[0] - 1).clamp_min(1)
    at = start[1] + (cell - start[0]) * step
    weights = (1 - (at.unsqueeze(1) - cell).abs()).clamp_min(0)
    return (weights * _inside(start, end, length)[0].unsqueeze(1)).unsqueeze(0)


def _shares(evidence: Tensor, inside: Tensor, area: Tensor) -> tuple[Tensor, Tensor]:
    """Shares [b] of the evidence outside of the first of the boxes [2, h, w] and inside of the second."""
    maps = nnf.interpolate(evidence.float().unsqueeze(1), inside.shape[1:], mode="bilinear").squeeze(1)
    maps = maps - maps.amin((1, 2), keepdim=True)
    total = maps.sum((1, 2))
    within = torch.stack([(maps * box).sum((1, 2)) for box in inside])
    share = torch.where(total > 0, within / total.clamp_min(1e-30), area.unsqueeze(1))
    return 1 - share[0], share[1]
