"""GuidedMixup: pair images that are salient at different places and blend pixels by saliency."""

from typing import Annotated

import torch
from torch import Generator, Tensor

from .draws import Draw, Masks
from .masks import check_maps
from .mixing import mixing
from .partners import find_partners, partner_choice
from .saliency import gaussian_blur

_SIGMA, _RADIUS = 3.0, 3


@mixing
def guided_mixup(
    x: Tensor,
    saliency: Tensor,
    partner: Annotated[
        str | tuple[str, float] | Tensor, partner_choice("farthest", "random", "reversed")
    ] = "farthest",
    generator: Generator | None = None,
) -> Draw:
    """GuidedMixup: pair images that are salient at different places, blend pixels by saliency.

    The saliency, smoothed (sigma 3, 7 x 7 pixels) and divided by its sum, is s; the weight of the example's
    pixel is s / (s + s') with s' the partner's, and the label is by the mean weight (arXiv:2306.16612 and the
    authors' code). Pairs are made greedily by the l2 distance of s: starting with the two that are farthest
    apart, each image takes the farthest one that is left, and the last one takes the first, in b small steps
    on the device. Nothing else is random, so the same batch is always mixed the same way. saliency='spectral'
    is GuidedMixup-SR; 'gradient' is -AP, which costs a forward and a backward. The authors mix half of the
    CIFAR batches with the first and 0.8 with the second, such as `0.5*none | 0.5*guided_mixup`.

    Args:
        x: images or feature maps [b, ch, h, w].
        partner: farthest, greedily by the distance of the saliencies; else as in mixup.

    Raises:
        ValueError: x is not [b, ch, h, w], or saliency is not of its size.

    Examples:
        >>> x = torch.rand(4, 3, 32, 32)
        >>> mixed, draw = F.guided_mixup(x, F.spectral_residual(x))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("guided_mixup", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency must be {[len(x), height, width]}, got {list(saliency.shape)}")
    smooth = gaussian_blur(saliency.float().unsqueeze(1), _SIGMA, _RADIUS, "reflect").squeeze(1)
    share = smooth / smooth.sum((1, 2), keepdim=True).clamp_min(1e-12)
    if isinstance(partner, str) and partner == "farthest":
        chosen = farthest_cycle(share.flatten(1) * height * width)
    else:
        chosen = find_partners(x, partner, generator)
    total = share + share[chosen]
    keep = torch.where(total > 0, share / total.clamp_min(1e-30), 0.5)
    return Masks(keep.unsqueeze(1), keep.mean((1, 2)), chosen)


@torch.no_grad()
def farthest_cycle(points: Tensor) -> Tensor:
    """Return partners [b] of points [b, d] along one cycle, each the farthest one that is not on it yet.

    The cycle begins at a point of the pair that is farthest apart. The host never waits for the device.
    """
    distance = torch.cdist(points, points).fill_diagonal_(-torch.inf)
    first = (distance.flatten().argmax() // len(points)).view(1)
    partner, place = torch.empty(len(points), dtype=torch.long, device=points.device), first
    for _ in range(len(points) - 1):
        distance = distance.index_fill(1, place, -torch.inf)
        following = distance.index_select(0, place).argmax(1)
        partner = partner.index_copy(0, place, following)
        place = following
    return partner.index_copy(0, place, first)
