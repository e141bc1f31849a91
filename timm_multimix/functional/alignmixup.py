"""AlignMixup: align two feature maps by optimal transport, then interpolate them (arXiv:2103.15375)."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .checks import Concentration, Count, Positive
from .draws import Draw, Pairs, is_map, no_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .precision import without_autocast
from .rand import rand
from .sampling import beta_variates


@dataclass(frozen=True, eq=False)
class Aligned(Pairs):
    """Pairs of features [b, r, d] at r positions, one of the two aligned to the other.

    Targets are mixed as pairs.

    Args:
        plan: R of the paper, [b, r, r]: how much of the partner's position j belongs to position i. What
            comes to a position adds up to one.
        partner_moves: boolean []: whether the partner's features move to the example's positions, or the
            example's to the partner's.
    """

    plan: Tensor
    partner_moves: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        with without_autocast(x.device):
            plan, other = self.plan.to(x.dtype), x[self.partner]
            own = torch.where(self.partner_moves, x, plan.mT @ x)
            moved = torch.where(self.partner_moves, plan @ other, other)
        return torch.lerp(moved, own, self.lam.to(x.dtype).view(-1, 1, 1))

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            raise no_maps("features")
        return Pairs(self.lam, self.partner).targets(targets)


@mixing
def alignmixup(
    x: Tensor,
    alpha: Concentration = 2.0,
    epsilon: Positive = 0.1,
    iterations: Count = 100,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """Interpolate features with a partner's aligned ones (arXiv:2103.15375).

    lambda ~ Beta(alpha, alpha), one for the batch. The alignment is r times the transport plan between the
    two sets of features at the cost |x_i - x'_j|^2 (section 3), without gradient; which of the two moves is
    drawn evenly. What comes to a position is normalised to a sum of one, which it already has if `iterations`
    were enough for the plan to converge. So aligned features are averages of features.

    Args:
        x: features [b, r, d] of r positions.
        epsilon: weight of the plan's entropy: less matches positions one to one, more averages over them.
        iterations: of Sinkhorn and Knopp's scaling; more converge further.

    Raises:
        ValueError: x is not [b, r, d].

    Examples:
        >>> mixed, draw = F.alignmixup(torch.rand(4, 49, 16))
        >>> mixed.shape
        torch.Size([4, 49, 16])
    """
    if x.dim() != 3:
        raise ValueError(f"alignmixup must be given features of positions [b, r, d], got {list(x.shape)}")
    lam = beta_variates(1, alpha, generator=generator, device=x.device)
    partner = find_partners(x, partner, generator)
    moves = rand(generator=generator, device=x.device) < 0.5
    wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    with without_autocast(x.device):
        # |x|^2 + |x'|^2 - 2 x x', as differences would need [b, r, r, d]; rounding may go below zero.
        squares = wide.square().sum(-1)
        cost = squares.unsqueeze(2) + squares[partner].unsqueeze(1) - 2 * wide @ wide[partner].mT
        plan = sinkhorn(cost.clamp_min(0), epsilon, iterations)
        mass = torch.where(moves, plan.sum(2, keepdim=True), plan.sum(1, keepdim=True))
        plan = plan / mass.clamp_min(1e-30)
    return Aligned(lam, partner, plan, moves)


@torch.no_grad()
def sinkhorn(cost: Tensor, epsilon: float = 0.1, iterations: int = 100) -> Tensor:
    """Compute transport plans with entropic regularization between uniform marginals.

    Sinkhorn and Knopp's iterations (Cuturi 2013) on the logarithms of the scalings, so that any epsilon is
    stable, and a fixed number of them, so that the host never waits for a test of convergence.

    Args:
        cost: cost [b, r, s] of moving from each of r to each of s positions.
        epsilon: weight of the plan's entropy.
        iterations: number of scalings of the rows and of the columns.

    Returns:
        Plans [b, r, s] on the device of the costs; each sums to one.

    Examples:
        >>> F.sinkhorn(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), epsilon=0.01).round(decimals=2)
        tensor([[[0.5000, 0.0000],
                 [0.0000, 0.5000]]])
    """
    kernel = -cost / epsilon
    columns = cost.new_zeros(cost.shape[0], 1, cost.shape[2])
    rows_mass, columns_mass = (-math.log(count) for count in cost.shape[1:])
    # Scalings of rows and columns in turn make the marginals uniform: log(1 / r) and log(1 / s).
    for _ in range(iterations):
        rows = rows_mass - (kernel + columns).logsumexp(2, keepdim=True)
        columns = columns_mass - (kernel + rows).logsumexp(1, keepdim=True)
    return (kernel + rows + columns).exp()
