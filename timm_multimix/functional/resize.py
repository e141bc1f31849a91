"""ResizeMix: paste the whole partner, made smaller, at a random place."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from .checks import Flag, interval
from .draws import Draw, Pairs, as_floating, check_size, is_map
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .precision import without_autocast
from .rand import rand


@dataclass(frozen=True, eq=False)
class Resized(Draw):
    """Images on which the partner, resized to a box, is pasted.

    Args:
        top: upper edge of the box in pixels, [1] or [b].
        left: left edge, [1] or [b].
        height: height of the box, [1] or [b].
        width: width of the box, [1] or [b].
        size: (h, w) of the images.
        lam: share of the image outside of the box, [1] or [b].
        partner: indices of the partners, [b].
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    size: tuple[int, int]
    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        rows = _resizing(self.top, self.height, self.size[0]).to(x.dtype).unsqueeze(1)
        columns = _resizing(self.left, self.width, self.size[1]).to(x.dtype).unsqueeze(1)
        with without_autocast(x.device):
            pasted = rows @ x[self.partner] @ columns.mT
        return torch.where(self.keep, x, pasted)

    @property
    def keep(self) -> Tensor:
        """Booleans [1 or b, 1, h, w]: true outside of the box."""
        rows = _inside(self.top, self.height, self.size[0])
        columns = _inside(self.left, self.width, self.size[1])
        return ~(rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            check_size(targets, self.size)
            return self(targets)
        return Pairs(self.lam, self.partner).targets(targets)


@mixing
def resizemix(
    x: Tensor,
    tau: Annotated[tuple[float, float], interval(1, zero=True)] = (0.1, 0.8),
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """ResizeMix: paste the whole partner, made smaller, at a random place; labels by area.

    The partner is scaled by a factor drawn uniformly from `tau`, the paper's (0.1, 0.8) (arXiv:2012.11101,
    section 3.2), to sides of at least a pixel, and replaces a box of that size anywhere inside the image: no
    object is cut, and the partner's subject is always pasted. Resizing is bilinear with antialiasing, as two
    matrix products: h + w multiplications for every value of the batch, which is little compared with a
    network and more than CutMix, which only copies.

    Args:
        x: images or feature maps [b, ch, h, w].
        tau: (low, high) of the factor by which the partner's sides are scaled.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.resizemix(torch.rand(4, 3, 32, 32))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    size = check_maps("resizemix", x)
    low, high = tau
    uniform = rand(3, len(x) if per_sample else 1, generator=generator, device=x.device)
    factor = low + (high - low) * uniform[0]
    height, width = ((factor * side).round().long().clamp_min(1) for side in size)
    top = _place(uniform[1], size[0] - height)
    left = _place(uniform[2], size[1] - width)
    lam = 1 - (height * width).float() / (size[0] * size[1])
    return Resized(top, left, height, width, size, lam, find_partners(x, partner, generator))


def _place(uniform: Tensor, last: Tensor) -> Tensor:
    """Return a whole number from 0 to `last`, all equally likely."""
    return torch.minimum((uniform * (last + 1)).long(), last)


def _inside(start: Tensor, extent: Tensor, length: int) -> Tensor:
    """Return booleans [k, length]: the cells from start to start + extent."""
    cell = torch.arange(length, device=start.device)
    return (cell >= start.unsqueeze(1)) & (cell < (start + extent).unsqueeze(1))


def _resizing(start: Tensor, extent: Tensor, length: int) -> Tensor:
    """Return weights [k, length, length] that resize a side to `extent` cells from `start` on; zero outside.

    A triangle as wide as two of the smaller image's cells, centred on each of them: bilinear interpolation
    with antialiasing, as in torch's interpolate and torchvision.
    """
    # Pixel centres are at k + 1/2 in both images; weights of a row are normalised at the borders.
    scale = (length / extent.float()).view(-1, 1, 1)
    cell = torch.arange(0.5, length, device=start.device, dtype=torch.float32)
    centre = (cell - start.unsqueeze(1)).unsqueeze(2) * scale
    weights = (1 - (cell - centre).abs() / scale).clamp_min(0)
    weights = weights * _inside(start, extent, length).unsqueeze(2)
    return weights / weights.sum(dim=2, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
