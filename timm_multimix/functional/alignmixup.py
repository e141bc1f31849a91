"""AlignMixup: features are brought to each other's places by optimal transport before they are mixed."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .checks import Concentration, Count, Positive
from .draws import Draw, Pairs, is_map, no_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .precision import without_autocast
from .sampling import beta_variates


@dataclass(frozen=True, eq=False)
class Aligned(Pairs):
    """Pairs of sequences of positions [b, r, d], one of the two brought to the places of the other.

    plan [b, r, r]: R of the paper, how much of the partner's position j belongs to position i; what comes to
    a place adds up to one. partner_moves: a boolean, whether the partner's features move to the example's
    places or the example's to the partner's. Targets are mixed as pairs.
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
        return Pairs(self.lam, self.partner)(targets)


@mixing
def alignmixup(
    x: Tensor,
    alpha: Concentration = 2.0,
    epsilon: Positive = 0.1,
    iterations: Count = 100,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """Interpolate features x [b, r, d], of r positions, with a partner's aligned ones (arXiv:2103.15375).

    lambda ~ Beta(alpha, alpha), one for the batch. The alignment is r times the transport plan between the
    two sets of features at the cost |x_i - x'_j|^2 (section 3), without gradient; which of the two moves is
    drawn evenly. What comes to a place is brought to a sum of one, which it has where `iterations` were
    enough for the plan to converge: so aligned features are averages of features.

    Args:
        epsilon: weight of the plan's entropy: less matches positions one to one, more averages over them.
        iterations: of Sinkhorn and Knopp's scaling; more converge further.

    Raises:
        ValueError: x is not [b, r, d].
    """
    if x.dim() != 3:
        raise ValueError(f"alignmixup needs features of positions [b, r, d], given {list(x.shape)}")
    lam = beta_variates(1, alpha, generator=generator, device=x.device)
    partner = find_partners(x, partner, generator)
    moves = torch.rand((), generator=generator, device=x.device) < 0.5
    wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    with without_autocast(x.device):
        # By products and not by differences, which would need [b, r, r, d]; rounding may go below zero.
        squares = wide.square().sum(-1)
        cost = squares.unsqueeze(2) + squares[partner].unsqueeze(1) - 2 * wide @ wide[partner].mT
        plan = sinkhorn(cost.clamp_min(0), epsilon, iterations)
        mass = torch.where(moves, plan.sum(2, keepdim=True), plan.sum(1, keepdim=True))
        plan = plan / mass.clamp_min(1e-30)
    return Aligned(lam, partner, plan, moves)


@torch.no_grad()
def sinkhorn(cost: Tensor, epsilon: float = 0.1, iterations: int = 100) -> Tensor:
    """Transport plans [b, r, s] between uniform marginals at costs [b, r, s], entropy times epsilon added.

    Sinkhorn and Knopp's iterations on the logarithms of the scalings, on the cost's device: stable for any
    epsilon, and of a fixed number, so that nothing waits for a test of convergence (Cuturi 2013).
    """
    kernel = -cost / epsilon
    columns = cost.new_zeros(cost.shape[0], 1, cost.shape[2])
    rows_mass, columns_mass = (-math.log(count) for count in cost.shape[1:])
    for _ in range(iterations):
        rows = rows_mass - (kernel + columns).logsumexp(2, keepdim=True)
        columns = columns_mass - (kernel + rows).logsumexp(1, keepdim=True)
    return (kernel + rows + columns).exp()
