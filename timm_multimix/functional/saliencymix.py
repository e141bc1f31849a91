"""SaliencyMix and Attentive CutMix: what is pasted is where the partner is salient."""

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .draws import Draw, Masks
from .masks import check_maps
from .mixing import _partners, mixing
from .sampling import beta_variates


@mixing
def saliencymix(
    x: Tensor,
    saliency: Tensor,
    alpha: float = 1.0,
    per_sample: bool = False,
    generator: Generator | None = None,
) -> Draw:
    """Paste a box about the partner's most salient point into x [b, ch, h, w] (arXiv:2006.01791, section 3).

    saliency [b, h, w]. The box has the area 1 - lambda, lambda ~ Beta(alpha, alpha), is clipped at the border
    and pasted where it was; the label is by the area really kept.

    Raises:
        ValueError: x is not [b, ch, h, w], or saliency is not of its size.
    """
    height, width = check_maps("saliencymix", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency {list(saliency.shape)} given, {[len(x), height, width]} is needed")
    lam = beta_variates(len(x) if per_sample else 1, alpha, generator=generator, device=x.device)
    partner = _partners(x, generator)
    peak = saliency.flatten(1).argmax(1)[partner]
    side = (1 - lam).sqrt()
    rows = _interval(side, height, peak // width)
    columns = _interval(side, width, peak % width)
    keep = ~(rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)


@mixing
def attentivemix(
    x: Tensor, attention: Tensor, top_k: int = 6, grid: int = 7, generator: Generator | None = None
) -> Draw:
    """Paste the partner's `top_k` most attended cells of a grid into x [b, ch, h, w] (arXiv:2003.13048).

    attention [b, h', w'] is interpolated to grid x grid; equal cells come in random order. The label is by
    area: for sides that `grid` divides, 1 - top_k / grid^2.

    Raises:
        ValueError: x is not [b, ch, h, w]; top_k is not within 1 and grid^2, or the grid finer than x.
    """
    height, width = check_maps("attentivemix", x)
    if not 1 <= top_k <= grid * grid:
        raise ValueError(f"top_k={top_k} given, allowed is 1 to {grid * grid} for a grid of {grid}")
    if grid > min(height, width):
        raise ValueError(f"grid={grid} given, images of {height} x {width} have too few pixels for that")
    partner = _partners(x, generator)
    cells = nnf.interpolate(attention.float().unsqueeze(1), (grid, grid), mode="bilinear").flatten(1)[partner]
    shuffled = torch.rand(cells.shape, generator=generator, device=x.device).argsort(1)
    order = cells.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    best = shuffled.gather(1, order[:, :top_k])
    taken = torch.zeros_like(cells, dtype=torch.bool).scatter_(1, best, True).view(-1, 1, grid, grid)
    keep = ~resize_mask(taken, height, width)
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask [k, 1, h', w'] as [k, 1, height, width], every pixel by the cell that it is in."""
    rows, columns = (
        torch.arange(side, device=mask.device) * cells // side
        for side, cells in ((height, mask.shape[-2]), (width, mask.shape[-1]))
    )
    return mask[:, :, rows][..., columns]


def _interval(fraction: Tensor, length: int, centre: Tensor) -> Tensor:
    """Boolean intervals [b, length] of floor(fraction * length) cells about a centre [b], clipped."""
    extent = (fraction * length).long()
    start = (centre - extent // 2).unsqueeze(1)
    cell = torch.arange(length, device=centre.device)
    return (cell >= start) & (cell < start + extent.unsqueeze(-1))
