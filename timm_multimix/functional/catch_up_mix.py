"""Catch-up Mix: combine the channels that are weak in a feature map compared with its partner's."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .checks import Concentration
from .draws import Draw, Pairs, as_floating, is_map, no_maps
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .sampling import beta_variates


@dataclass(frozen=True, eq=False)
class Channels(Pairs):
    """Pairs of which some channels are the example's and the others the partner's.

    Targets are mixed as pairs.

    Args:
        keep: booleans [b, ch, 1, 1]: true where the channel is the example's own.
    """

    keep: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        return torch.where(self.keep, x, x[self.partner])

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            raise no_maps("channels of features")
        return Pairs(self.lam, self.partner).targets(targets)


@mixing
def catch_up_mix(
    x: Tensor, alpha: Concentration = 1.0, partner: Partner = "random", generator: Generator | None = None
) -> Draw:
    """Combine the channels of two feature maps that lag behind (arXiv:2401.13193).

    A channel's influence is the l2 norm of its map, divided by the sum of these norms over the channels; its
    relative influence is its influence minus the partner's. The floor(lambda ch) channels with the lowest
    relative influence are kept; the others, in which the partner lags behind, are the partner's. lambda ~
    Beta(alpha, alpha), one for the batch; the label is by lambda. No gradient flows through the choice.

    Args:
        x: feature maps [b, ch, h, w].

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.catch_up_mix(torch.rand(4, 16, 7, 7))
        >>> mixed.shape
        torch.Size([4, 16, 7, 7])
    """
    check_maps("catch_up_mix", x)
    lam = beta_variates(1, alpha, generator=generator, device=x.device)
    chosen = find_partners(x, partner, generator)
    norm = x.detach().float().flatten(2).norm(dim=2)
    influence = norm / norm.sum(1, keepdim=True).clamp_min(1e-12)
    rank = (influence - influence[chosen]).argsort(dim=1, stable=True).argsort(dim=1)
    keep = rank < (lam * x.shape[1]).floor()
    return Channels(lam, chosen, keep[..., None, None])
