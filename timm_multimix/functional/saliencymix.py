"""SaliencyMix and Attentive CutMix: paste the part of the partner that is salient."""

from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag
from .draws import Draw, Masks
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand
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

    The box has the area 1 - lambda, lambda ~ Beta(alpha, alpha) with the paper's alpha = 1, one for the batch
    or one `per_sample`; it is clipped at the border and stays at its place. Every partner has its own point;
    the label is by the area really kept (arXiv:2006.01791, section 3). The paper uses a static saliency of
    the image, OpenCV's fine-grained one; this package uses one of the same kind, the spectral residual (Hou
    and Zhang 2007), a Fourier transform of 64 x 64 pixels an image: it needs no pass through the model, so
    saliencymix also replaces timm.data.Mixup. saliency='gradient' takes the gradient of the loss with respect
    to the image, which costs a forward and a backward.

    Args:
        x: images or feature maps [b, ch, h, w].

    Raises:
        ValueError: x is not [b, ch, h, w], or saliency is not of its size.

    Examples:
        >>> x = torch.rand(4, 3, 32, 32)
        >>> mixed, draw = F.saliencymix(x, F.spectral_residual(x))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("saliencymix", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency must be {[len(x), height, width]}, got {list(saliency.shape)}")
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

    Of a grid of 7 x 7 cells over the image, the 6 with the highest attention, interpolated to that grid, are
    pasted; equal ones are taken in random order. So lambda is 43 / 49 for sides that the grid divides; both
    numbers are the paper's (arXiv:2003.13048). The paper takes the attention from a second, pretrained
    network; here it is the model's own, from its last feature map z, as relu(z . GAP(z)): that needs no class
    and no further weights and costs a forward. Images must be large enough for more than one position in that
    map.

    Args:
        x: images or feature maps [b, ch, h, w].
        attention: attention to the clean images, [b, h', w'], such as that of `feature_attention`.
        top_k: cells that are pasted.
        grid: cells of the grid along a side.

    Raises:
        ValueError: x is not [b, ch, h, w]; the grid has fewer cells than top_k, or is finer than x.

    Examples:
        >>> mixed, draw = F.attentivemix(torch.rand(4, 3, 28, 28), torch.rand(4, 7, 7))
        >>> draw.lam
        tensor([0.8776, 0.8776, 0.8776, 0.8776])
    """
    height, width = check_maps("attentivemix", x)
    check_cells(top_k, grid)
    if grid > min(height, width):
        raise ValueError(
            f"grid must be at most {min(height, width)} for images of {height} x {width}, got {grid}"
        )
    partner = find_partners(x, partner, generator)
    cells = nnf.interpolate(attention.float().unsqueeze(1), (grid, grid), mode="bilinear").flatten(1)[partner]
    shuffled = rand(*cells.shape, generator=generator, device=x.device).argsort(1)
    order = cells.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    best = shuffled.gather(1, order[:, :top_k])
    taken = torch.zeros_like(cells, dtype=torch.bool).scatter_(1, best, True).view(-1, 1, grid, grid)
    keep = ~resize_mask(taken, height, width)
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)


def check_cells(top_k: int, grid: int, **_: Any) -> None:
    """Check that a grid has at least `top_k` cells.

    Raises:
        ValueError: it has fewer.
    """
    if top_k > grid * grid:
        raise ValueError(f"top_k must be 1 to {grid * grid} for a grid of {grid}, got {top_k}")


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """Resize a mask [k, 1, h', w'] to [k, 1, height, width]; every pixel gets the value of its cell."""
    rows, columns = (
        torch.arange(side, device=mask.device) * cells // side
        for side, cells in ((height, mask.shape[-2]), (width, mask.shape[-1]))
    )
    return mask[:, :, rows][..., columns]


def _interval(fraction: Tensor, length: int, centre: Tensor) -> Tensor:
    """Return boolean intervals [b, length] of floor(fraction * length) cells about a centre [b], clipped."""
    extent = (fraction * length).long()
    start = (centre - extent // 2).unsqueeze(1)
    cell = torch.arange(length, device=centre.device)
    return (cell >= start) & (cell < start + extent.unsqueeze(-1))
