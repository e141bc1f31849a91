"""TransMix and TokenMix: labels by a transformer's attention, or by where its class is seen."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from .checks import Count, Flag, Share
from .draws import Draw, Masks, Pairs, as_floating, is_map, not_indices
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand
from .saliencymix import resize_mask

# Log-uniform within (0.3, 1 / 0.3), as in BEiT's block masking, which TokenMix takes over.
_LONGEST = math.log(1 / 0.3)
_PROPOSALS = 24


def attended(draw: Masks, attention: Tensor, area: float = 0.0) -> Masks:
    """Set the lambda of a draw to the attention on what was kept (TransMix, arXiv:2111.09833, equation 4).

    lambda_i is the share of the attention that falls on what example i kept, by the mask at the attention's
    size (nearest neighbour).

    Args:
        draw: the draw, with lambda by area.
        attention: attention on the mixed images, [b, h', w'].
        area: share that the old lambda keeps in the new one.

    Examples:
        >>> mixed, draw = F.cutmix(torch.rand(4, 3, 32, 32))
        >>> F.attended(draw, torch.rand(4, 4, 4)).lam.shape
        torch.Size([4])
    """
    keep = resize_mask(draw.keep, *attention.shape[-2:]).squeeze(1).to(attention.dtype)
    share = (attention * keep).sum((1, 2)) / attention.sum((1, 2))
    return replace(draw, lam=area * draw.lam + (1 - area) * share)


@dataclass(frozen=True, eq=False)
class Scored(Draw):
    """Masks whose examples and partners have separate scores in the targets.

    A row of the targets adds up to the sum of the two scores, which need not be one.

    Args:
        mask: the draw that mixes the images.
        own: scores of the examples, [b].
        other: scores of the partners, [b].
    """

    mask: Masks
    own: Tensor
    other: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self.mask(x)

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):  # every place is labeled by what it shows, so the image's score does not matter
            return self.mask.targets(targets)
        targets = as_floating(not_indices(targets))
        mass = (self.own + self.other).to(targets.dtype)
        share = (self.own / (self.own + self.other).clamp_min(1e-12)).to(targets.dtype)
        mixed = Pairs(share, self.mask.partner)(targets)
        if targets.dim() == 2 and targets.shape[1] == 1:  # a value, which has no mass
            return mixed
        return mixed * mass.view(-1, *[1] * (targets.dim() - 1))


@mixing
def tokenmix(
    x: Tensor,
    activation: Tensor,
    ratio: Share = 0.5714,
    min_tokens: Count = 1,
    normalize: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """TokenMix: replace several blocks of tokens, labels by where the class is seen.

    One mask for the batch (arXiv:2207.08409, section 3), on the grid of the activation maps: blocks of at
    least `min_tokens` tokens (see `block_mask`), until the share `ratio` of the grid is replaced. The
    authors' code replaces half of its 14 x 14 tokens and 14 more, 4/7, by blocks of any size, and so does the
    default; `tokenmix(0.5, 14)` reads these 14 as the least size of a block instead. A label's score is the
    share of its image's class activation that is in the mix; the two scores of a mix add up to one only on
    average, as in the paper, unless `normalize`. The paper takes the activation from a pretrained teacher;
    here it is the model's own, at the cost of a forward: labels are rough at the beginning of training.

    Args:
        x: images [b, ch, h, w].
        activation: probability of the own class at every position of the clean images, [b, h', w'].
        ratio: the share of the tokens that is replaced.
        min_tokens: the least area of a block, in tokens.
        normalize: whether the two scores of a mix are made to add up to one.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.tokenmix(torch.rand(4, 3, 32, 32), torch.rand(4, 8, 8))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("tokenmix", x)
    rows, columns = activation.shape[-2:]
    replaced = block_mask(rows, columns, ratio, min_tokens, x.device, generator)
    partner = find_partners(x, partner, generator)
    keep = ~resize_mask(replaced.view(1, 1, *replaced.shape), height, width)
    mask = Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), partner)
    share = activation.float() / activation.float().sum((1, 2), keepdim=True).clamp_min(1e-12)
    own, other = (share * ~replaced).sum((1, 2)), (share * replaced).sum((1, 2))[partner]
    total = (own + other).clamp_min(1e-12)
    return Scored(mask, own / total, other / total) if normalize else Scored(mask, own, other)


def block_mask(
    rows: int, columns: int, ratio: float, min_tokens: int, device: torch.device, generator: Generator | None
) -> Tensor:
    """Draw booleans [rows, columns] of several blocks that together cover round(ratio rows columns) cells.

    A block has an area uniform between `min_tokens` and what is still to be covered, and an aspect ratio
    log-uniform within (0.3, 1 / 0.3). Blocks that would cover too much, or nothing new, are left out, of 24
    proposals in all. The remaining cells are filled by single ones at random, so that the count is exact. The
    host never waits for the device.
    """
    goal = round(ratio * rows * columns)
    share, stretch, down, right = rand(4, _PROPOSALS, generator=generator, device=device)
    stretch = ((stretch - 0.5) * _LONGEST).exp()
    mask = torch.zeros(rows, columns, dtype=torch.bool, device=device)
    for k in range(_PROPOSALS):
        left = goal - mask.sum(dtype=torch.float32)
        side = (left.clamp_max(min_tokens).lerp(left, share[k])).sqrt()
        vertical = _interval(rows, side * stretch[k], down[k])
        fresh = vertical.unsqueeze(1) & _interval(columns, side / stretch[k], right[k]) & ~mask
        mask = mask | (fresh & (fresh.sum() <= left))
    order = mask.float() * 2 + rand(rows, columns, generator=generator, device=device)
    rank = order.flatten().argsort(descending=True).argsort().view(rows, columns)
    return rank < goal


def _interval(length: int, extent: Tensor, uniform: Tensor) -> Tensor:
    """Return booleans [length]: an interval of `extent` rounded cells at a uniform place inside."""
    extent = extent.round().clamp(1, length)
    start = ((length - extent + 1) * uniform).floor()
    cell = torch.arange(length, device=extent.device)
    return (cell >= start) & (cell < start + extent)
