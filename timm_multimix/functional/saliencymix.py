"""SaliencyMix and Attentive CutMix: what is pasted is where the partner is salient."""

from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag
from .draws import Draw, Masks
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .sampling import beta_variates


@mixing
def saliencymix(
    x: Tensor,
    saliency: Tensor,
    alpha: Concentration = 1.0,
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """SaliencyMix: paste a box about the partner's most salient point, labels by area.

    The box in x [b, ch, h, w] has the area 1 - lambda, lambda ~ Beta(alpha, alpha) with the paper's alpha =
    1, one for the batch or one `per_sample`, is clipped at the border and stays at its place; every partner
    has its own point, by saliency [b, h, w]; the label is by the area really kept
    (arXiv:2006.01791, section 3). The paper's saliency is a
    static one of the image, OpenCV's fine-grained; ours is of the same kind, the spectral residual (Hou and
    Zhang 2007), a Fourier transform of 64 x 64 pixels an image: no pass through the model, so it also works
    in the place of timm.data.Mixup. saliency='gradient' takes the gradient of the loss with respect to the
    image, which costs a forward and a backward.

    Raises:
        ValueError: x is not [b, ch, h, w], or saliency is not of its size.
    """
    height, width = check_maps("saliencymix", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency {list(saliency.shape)} given, {[len(x), height, width]} is needed")
    lam = beta_variates(len(x) if per_sample else 1, alpha, generator=generator, device=x.device)
    partner = find_partners(x, partner, generator)
    peak = saliency.flatten(1).argmax(1)[partner]
    side = (1 - lam).sqrt()
    rows = _interval(side, height, peak // width)
    columns = _interval(side, width, peak % width)
    keep = ~(rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)


@mixing
def attentivemix(
    x: Tensor,
    attention: Tensor,
    top_k: Count = 6,
    grid: Count = 7,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """Attentive CutMix: paste the partner's most attended cells, labels by area.

    Of a grid over x [b, ch, h, w], 7 x 7, the 6 cells with the highest attention [b, h', w'], interpolated to
    that grid, are pasted, equal ones in random order, so that lambda is 43 / 49 for sides that the grid
    divides: both numbers are the paper's (arXiv:2003.13048). The paper takes the attention from a second,
    pretrained network; ours is the model's own, from its last feature map z, as relu(z . GAP(z)): no class
    and no further weights needed, at the cost of a forward. Needs images that leave more than one position in
    that map.

    Args:
        top_k: cells that are pasted.
        grid: cells of the grid along a side.

    Raises:
        ValueError: x is not [b, ch, h, w]; the grid has fewer cells than top_k, or is finer than x.
    """
    height, width = check_maps("attentivemix", x)
    check_cells(top_k, grid)
    if grid > min(height, width):
        raise ValueError(f"grid={grid} given, images of {height} x {width} have too few pixels for that")
    partner = find_partners(x, partner, generator)
    cells = nnf.interpolate(attention.float().unsqueeze(1), (grid, grid), mode="bilinear").flatten(1)[partner]
    shuffled = torch.rand(cells.shape, generator=generator, device=x.device).argsort(1)
    order = cells.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    best = shuffled.gather(1, order[:, :top_k])
    taken = torch.zeros_like(cells, dtype=torch.bool).scatter_(1, best, True).view(-1, 1, grid, grid)
    keep = ~resize_mask(taken, height, width)
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)


def check_cells(top_k: int, grid: int, **_: Any) -> None:
    """Check that a grid has so many cells.

    Raises:
        ValueError: it has fewer.
    """
    if top_k > grid * grid:
        raise ValueError(f"top_k must be 1 to {grid * grid} for a grid of {grid}, got {top_k}")


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
