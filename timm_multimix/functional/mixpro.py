"""MixPro: random cells of a grid, and labels that use attention as far as the prediction is good."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Count
from .draws import Draw, Masks
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand
from .sampling import beta_variates
from .transmix import attended

# Side of a cell, of the image's shorter side: 64 of 224 pixels in the paper.
_PATCH = 2 / 7


@mixing
def maskmix(
    x: Tensor,
    alpha: Concentration = 1.0,
    patch: Count | None = None,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """MaskMix: take random cells of a grid from the partner, other ones for every image; labels by area.

    Of the cells of `patch` pixels a side, the last ones cut at the border, ceil(lambda cells) stay, with
    lambda ~ Beta(alpha, alpha), one for the batch; which cells is drawn for every image (arXiv:2304.12043).

    Args:
        x: images or feature maps [b, ch, h, w].
        patch: pixels a side of a cell (None: 2/7 of the shorter side, the paper's 64 of 224); a multiple of
            the model's patches leaves each of them whole.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.maskmix(torch.rand(4, 3, 32, 32), patch=8)
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("maskmix", x)
    side = max(1, round(min(height, width) * _PATCH)) if patch is None else patch
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    lam = beta_variates(1, alpha, generator=generator, device=x.device)
    order = rand(len(x), rows * columns, generator=generator, device=x.device).argsort(1)
    cells = (order < (lam * rows * columns).ceil()).view(len(x), 1, rows, columns)
    keep = cells.repeat_interleave(side, 2).repeat_interleave(side, 3)[:, :, :height, :width]
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), find_partners(x, partner, generator))


def progressive(draw: Masks, attention: Tensor, logits: Tensor, targets: Tensor) -> Masks:
    """Blend a draw's labels by area with labels by attention, as far as the prediction agrees with the area.

    lambda_i = a_i lambda_attention + (1 - a_i) lambda_area, with a_i the cosine of the angle between the
    softmax of the logits and the label by area (progressive attention labeling, arXiv:2304.12043).

    Args:
        draw: the draw, with lambda by area.
        attention: attention on the mixed images, [b, h', w'].
        logits: logits of the mixed images, [b, c].
        targets: targets of the clean examples, [b, c].

    Returns:
        The draw with lambda [b], without gradient.

    Examples:
        >>> mixed, draw = F.maskmix(torch.rand(4, 3, 32, 32))
        >>> F.progressive(draw, torch.rand(4, 4, 4), torch.rand(4, 10), torch.eye(10)[:4]).lam.shape
        torch.Size([4])
    """
    by_area = draw.targets(targets).float()
    trust = nnf.cosine_similarity(by_area, logits.detach().float().softmax(-1), dim=1).clamp(0, 1)
    return replace(draw, lam=torch.lerp(draw.lam.expand_as(trust), attended(draw, attention).lam, trust))
