"""Puzzle Mix: an optimal mask that keeps what is salient in both images, and patches moved to where it shows.

Notation: g the cells of the grid along a side, z the mask, 1 where the example itself is seen.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .._compat.scipy import scipy_module
from .checks import Concentration, Count, Flag, at_least
from .draws import Draw, Masks, Pairs, check_size, is_map
from .labeling import quadratic_labeling
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .sampling import beta_variates
from .uncompiled import uncompiled

_GRIDS = (2, 4, 8, 16)


@dataclass(frozen=True, eq=False)
class Puzzle(Masks):
    """Masks applied to images whose patches have been moved.

    Args:
        sources: for the example and for the partner, which patch [b, g^2] comes to each place of a g x g
            grid.
    """

    sources: tuple[Tensor, Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        x = x if x.is_floating_point() else x.float()
        own = move_patches(x, self.sources[0])
        other = move_patches(x[self.partner], self.sources[1])
        return torch.lerp(other, own, self.keep.to(x.dtype))

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            check_size(targets, (self.keep.shape[-2], self.keep.shape[-1]))
            return self(targets)
        return Pairs(self.lam, self.partner).targets(targets)


@mixing
@uncompiled
def puzzlemix(
    x: Tensor,
    saliency: Tensor,
    alpha: Concentration = 1.0,
    labels: Annotated[int, at_least(2)] = 3,
    beta: Concentration = 1.2,
    gamma: Concentration = 0.5,
    eta: Concentration = 0.2,
    transport: Flag = True,
    transport_cost: Concentration = 0.8,
    grid: Count | None = None,
    transport_grid: Count | None = 8,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """Puzzle Mix: an optimal mask and moved patches, by input gradients; labels by area.

    The mask z, of `labels` values from 0 to 1 on a grid of `grid` cells along a side, minimises the saliency
    it hides + beta (label smoothness) + beta gamma (smoothness of the pixels at its edges) + eta (prior of
    lambda ~ Beta(alpha, alpha)); see `mask_energy`. Then patches of each image move to where they are seen,
    at `transport_cost` times the squared distance; see `best_transport`. Patches are those of a grid of
    `transport_grid` along a side if they divide the mask's cells; else they are the cells themselves. 8 is
    the authors' 4 pixels of 32. The label is by the mask's mean. All numbers are those of the authors' CIFAR
    runs (arXiv:2009.06962). The mask is found exactly by a minimum cut (the authors swap labels), the
    transport exactly by an assignment (they iterate), both with SciPy on the CPU: the device waits for them,
    longer for finer grids. Pixels are compared after each channel is scaled to 0 .. 1. It costs an extra
    forward and backward.

    Args:
        x: images or feature maps [b, ch, h, w].
        alpha: concentration of the lambda ~ Beta(alpha, alpha) in the mask's prior.
        labels: values that a cell of the mask may have, evenly from 0 to 1.
        beta: weight of the mask's smoothness: more makes fewer, larger parts.
        gamma: weight of the smoothness of pixels at the mask's edges, relative to beta.
        eta: weight of lambda's prior: more brings the share shown closer to lambda.
        transport: whether patches move to where they are seen.
        transport_cost: cost of a move by the squared distance of a cell: more moves less.
        grid: cells of the mask along a side; None draws 2, 4, 8 or 16, of those that divide both sides of x.
        transport_grid: patches along a side; None moves whole cells of the mask.

    Raises:
        ValueError: x is not [b, ch, h, w], or the grid does not divide its sides.

    Examples:
        >>> x = torch.rand(4, 3, 32, 32)
        >>> mixed, draw = F.puzzlemix(x, F.spectral_residual(x), grid=4)
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("puzzlemix", x)
    g = _grid(grid, height, width, x.device, generator)
    lam = beta_variates(1, alpha, generator=generator, device=x.device)
    partner = find_partners(x, partner, generator)
    salient = _shares(nnf.avg_pool2d(saliency.float(), (height // g, width // g)))
    unary, vertical, horizontal = mask_energy(
        _unit_range(x.float()), partner, salient, lam, labels, beta, gamma, eta
    )
    z = quadratic_labeling(unary, vertical, horizontal).float() / (labels - 1)
    keep = _enlarged(z, height // g, width // g).unsqueeze(1)
    if (t := _patches(transport_grid, g, height, width)) != g:
        salient = _shares(nnf.avg_pool2d(saliency.float(), (height // t, width // t)))
        z = _enlarged(z, t // g, t // g)
    cost = transport_cost if transport else None
    sources = _sources(salient, z, cost), _sources(salient[partner], 1 - z, cost)
    return Puzzle(keep, z.mean((1, 2)), partner, sources)


def mask_energy(
    x: Tensor,
    partner: Tensor,
    salient: Tensor,
    lam: Tensor,
    labels: int,
    beta: float,
    gamma: float,
    eta: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the energy of masks (equation 4) for `quadratic_labeling`: unary, vertical, horizontal.

    The unary cost is the saliency that is lost, z s' + (1 - z) s, and eta / g^2 times the prior's -log
    Binomial(labels - 1, lam). A pair of cells costs beta / 16 g times (z_i - z_j)^2 + gamma phi(z_i, z_j),
    where phi is the mean difference of the pixels that meet there, defined for masks of 0 and 1 and continued
    quadratically between them.

    Args:
        x: images [b, ch, h, w], from 0 to 1.
        partner: indices of the partners, [b].
        salient: saliency s of the cells, [b, g, g], which adds up to one.
        lam: lambda, [1].
        labels: values that a cell may have.
        beta: weight of smoothness.
        gamma: weight of the pixels' smoothness, relative to beta.
        eta: weight of the prior.
    """
    top, g = labels - 1, salient.shape[-1]
    z = torch.arange(labels, device=x.device, dtype=torch.float32) / top
    lost = salient[partner].unsqueeze(-1) * z + salient.unsqueeze(-1) * (1 - z)
    unary = lost + eta / g**2 * _negative_log_prior(lam, top)
    strength = beta / (16 * g)
    vertical = _border_terms(x, x[partner], g)
    horizontal = _border_terms(x.mT, x[partner].mT, g)
    unary = unary + strength * gamma * _modular(vertical, z, 1)
    unary = unary + strength * gamma * _modular([term.mT for term in horizontal], z, 2)
    weights = [strength * (1 + gamma * _coupling(terms)).clamp_min(0) for terms in (vertical, horizontal)]
    return unary, weights[0], weights[1].mT


@torch.no_grad()
def best_transport(salient: Tensor, z: Tensor, cost: float) -> Tensor:
    """Find which patch [b, g^2] moves to each place so that most saliency is seen (equation 6).

    The result is the permutation of the patches that minimises the sum over patches i at places j of cost
    d_ij^2 / (g - 1)^2 - [z_j > 0] salient_i, where d is the distance; SciPy's linear_sum_assignment solves
    it, one image at a time.
    """
    linear_sum_assignment = scipy_module("optimize").linear_sum_assignment
    g = salient.shape[-1]
    place = torch.cartesian_prod(*[torch.arange(g, device="cpu")] * 2).double()
    distance = torch.cdist(place, place).square() / max(1, g - 1) ** 2
    gain = salient.flatten(1).double().cpu().unsqueeze(2) * (z.flatten(1) > 0).double().cpu().unsqueeze(1)
    places = [linear_sum_assignment(each)[1] for each in (cost * distance - gain).numpy()]
    return torch.tensor([list(row) for row in places], device="cpu").argsort(1).to(salient.device)


def move_patches(x: Tensor, source: Tensor) -> Tensor:
    """Move the patch source[i, j] [b, g^2] of a g x g grid over x [b, ch, h, w] to place j."""
    b, channels, height, width = x.shape
    g = math.isqrt(source.shape[1])
    patches = x.reshape(b, channels, g, height // g, g, width // g).transpose(3, 4).flatten(2, 3)
    index = source.view(b, 1, -1, 1, 1).expand(-1, channels, -1, height // g, width // g)
    moved = patches.gather(2, index).unflatten(2, (g, g))
    return moved.transpose(3, 4).reshape(b, channels, height, width)


def _sources(salient: Tensor, z: Tensor, cost: float | None) -> Tensor:
    if cost is not None:
        return best_transport(salient, z, cost)
    cells = z[0].numel()
    return torch.arange(cells, device=z.device).expand(len(z), cells)


def _grid(
    grid: int | None, height: int, width: int, device: torch.device, generator: Generator | None
) -> int:
    fitting = [g for g in _GRIDS if height % g == 0 and width % g == 0]
    if grid is None and fitting:
        return fitting[int(torch.randint(len(fitting), (), generator=generator, device=device))]
    if grid is None or grid < 1 or height % grid or width % grid:
        if grid is None:
            raise ValueError(f"images must have even sides for puzzlemix, got {height} x {width}")
        raise ValueError(
            f"grid of puzzlemix must divide both sides of images of {height} x {width}, got {grid}"
        )
    return grid


def _patches(transport_grid: int | None, g: int, height: int, width: int) -> int:
    """Number of patches along a side: `transport_grid` if it divides the cells and the image, else g."""
    if transport_grid is None or any(whole % transport_grid for whole in (height, width)):
        return g
    return transport_grid if transport_grid % g == 0 else g


def _enlarged(cells: Tensor, rows: int, columns: int) -> Tensor:
    """Repeat cells [b, h, w] to [b, rows h, columns w]."""
    return cells.repeat_interleave(rows, 1).repeat_interleave(columns, 2)


def _shares(cells: Tensor) -> Tensor:
    """Normalise saliency [b, g, g] to a sum of one; uniform if there is none."""
    total = cells.sum((1, 2), keepdim=True)
    return torch.where(total > 0, cells / total.clamp_min(1e-30), 1 / cells[0].numel())


def _unit_range(x: Tensor) -> Tensor:
    """Scale each channel of x [b, ch, h, w] over the batch to 0 .. 1."""
    low, high = x.amin((0, 2, 3), keepdim=True), x.amax((0, 2, 3), keepdim=True)
    return (x - low) / (high - low).clamp_min(1e-12)


def _negative_log_prior(lam: Tensor, top: int) -> Tensor:
    """-log of the binomial probability [top + 1] of k successes of top; the authors' 1e-8 keeps it finite."""
    count = torch.arange(top + 1, device=lam.device)
    ways = torch.tensor([math.comb(top, k) for k in range(top + 1)], device=lam.device, dtype=torch.float32)
    return -(ways * lam**count * (1 - lam) ** (top - count) + 1e-8).log()


def _border_terms(own: Tensor, other: Tensor, g: int) -> list[Tensor]:
    """phi [b, g - 1, g] of vertical neighbours for the masks (1, 1), (1, 0), (0, 1), (0, 0), upper first.

    Images are averaged over squares of up to 4 x 4 pixels; of these, the two rows that meet at a border are
    compared: the mean absolute difference over channels and along the border.
    """
    height, width = own.shape[-2:]
    pool = math.gcd(height // g, 4), math.gcd(width // g, 4)
    per_cell = height // g // pool[0]
    small = [nnf.avg_pool2d(image, pool) for image in (own, other)]
    last = [image[:, :, per_cell - 1 :: per_cell][:, :, :-1] for image in small]
    first = [image[:, :, per_cell::per_cell] for image in small]
    difference = ((last[i] - first[j]).abs().mean(1) for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    return [term.unflatten(2, (g, -1)).mean(3) for term in difference]


def _modular(terms: list[Tensor], z: Tensor, dim: int) -> Tensor:
    """Return the part of phi that is a sum over cells, [b, g, g, labels]; neighbours lie along `dim`."""
    both, own_first, other_first, neither = (term.unsqueeze(-1) for term in terms)
    # Up to a constant, phi is this sum over the two cells plus `_coupling` times (z_i - z_j)^2.
    upper = (z * (own_first + both) + (1 - z) * (other_first + neither)) / 2
    lower = (z * (other_first + both) + (1 - z) * (own_first + neither)) / 2
    padding = (0, 0) * (3 - dim)
    return nnf.pad(upper, (*padding, 0, 1)) + nnf.pad(lower, (*padding, 1, 0))


def _coupling(terms: list[Tensor]) -> Tensor:
    both, own_first, other_first, neither = terms
    return (own_first + other_first - both - neither) / 2
