"""Labelings of grids by swap moves: for any distances between labels, each move a minimum cut."""

from itertools import combinations, cycle

import torch
from torch import Tensor

from ..uncompiled import uncompiled
from .graphcut import quadratic_labeling


@torch.no_grad()
@uncompiled
def swap_labeling(unary: Tensor, distance: Tensor, strength: float, start: Tensor) -> Tensor:
    """Find labels z of low energy sum_i U(i, z_i) + strength sum_ij D(z_i, z_j) over neighbours i, j.

    Alpha-beta swap (Boykov, Veksler, Zabih 2001): in a move all cells of two labels choose again between
    these two, exactly, by a minimum cut; it ends when no move of any pair lowers the energy. The p problems
    are moved together. Labels that a cell cannot have at such an end are not tried; if every cell's cheapest
    label is the better start, it replaces `start`.

    Args:
        unary: U, [p, h, w, k], for p problems of k labels.
        distance: D, [p, k, k], symmetric, at least 0, zero from a label to itself.
        strength: weight of the distances.
        start: first labels, [p, h, w].

    Returns:
        Labels [p, h, w].

    Examples:
        >>> unary = torch.tensor([[[[0.0, 1.0], [0.6, 0.4]]]])
        >>> F.swap_labeling(unary, 1 - torch.eye(2).unsqueeze(0), 0.5, torch.tensor([[[0, 1]]]))
        tensor([[[0, 0]]])
    """
    if unary.shape[-1] == 1:
        return torch.zeros_like(start)
    start = _better_start(unary, distance, strength, start)
    original, unary, distance, start = _promising(unary, distance, strength, start)
    found = _swap_until_still(unary, distance, strength, start)
    return original.gather(1, found.flatten(1)).view_as(found)


def labeling_energy(unary: Tensor, distance: Tensor, strength: float, labels: Tensor) -> Tensor:
    """Return the energy [p] of labels [p, h, w], which `swap_labeling` lowers."""
    own = unary.gather(-1, labels.unsqueeze(-1)).sum((1, 2, 3))
    pairs = (labels[:, 1:], labels[:, :-1]), (labels[:, :, 1:], labels[:, :, :-1])
    problem = torch.arange(len(labels)).view(-1, 1, 1)
    between = torch.stack([distance[problem, first, second].sum((1, 2)) for first, second in pairs])
    return own + strength * between.sum(0)


def _better_start(unary: Tensor, distance: Tensor, strength: float, start: Tensor) -> Tensor:
    """`start` without labels too expensive for their cell, or every cell's cheapest label if better."""
    cheapest = unary.argmin(-1)
    dear = ~possible_labels(unary, distance, strength).gather(-1, start.unsqueeze(-1)).squeeze(-1)
    start = torch.where(dear, cheapest, start)
    energies = [labeling_energy(unary, distance, strength, z) for z in (start, cheapest)]
    return torch.where((energies[1] < energies[0]).view(-1, 1, 1), cheapest, start)


def possible_labels(unary: Tensor, distance: Tensor, strength: float, rounds: int = 3) -> Tensor:
    """Return booleans [p, h, w, k]: labels that a cell can have when no change of one cell lowers the energy.

    A label is impossible if it costs more than the cell's cheapest one by more than it can save at its
    neighbours, sum_j max_z (largest D - D(l, z)) over their own possible labels z (dead-end elimination).
    """
    largest = distance.amax((1, 2))
    possible = torch.ones_like(unary, dtype=torch.bool)
    dearer = unary - unary.amin(-1, keepdim=True)
    likeness = (largest.view(-1, 1, 1) - distance)[:, None, None]
    for _ in range(rounds):
        saved = (likeness * possible.unsqueeze(-2)).amax(-1)
        possible = dearer <= strength * _of_neighbours(saved) + 1e-9
    return possible


def _promising(
    unary: Tensor, distance: Tensor, strength: float, start: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reduce each problem to the labels [p, k'] that some cell can have in the end."""
    somewhere = possible_labels(unary, distance, strength).any(2).any(1)
    some = max(2, int(somewhere.sum(1).max()))
    order = somewhere.int().argsort(dim=1, descending=True, stable=True)
    kept, rank = order[:, :some], order.argsort(1)
    problem = torch.arange(len(unary)).view(-1, 1, 1)
    fewer = unary.gather(-1, kept[:, None, None].expand(*unary.shape[:3], -1))
    distance = distance[problem, kept.unsqueeze(2), kept.unsqueeze(1)]
    return kept, fewer, distance, rank.gather(1, start.flatten(1)).view_as(start)


def _swap_until_still(unary: Tensor, distance: Tensor, strength: float, z: Tensor) -> Tensor:
    pairs = list(combinations(range(unary.shape[-1]), 2))
    still = 0
    for first, second in cycle(pairs):
        moved = _swap(unary, distance, strength, z, first, second)
        still = still + 1 if moved is None else 1
        z = z if moved is None else moved
        if still >= len(pairs):
            return z
    raise AssertionError("a problem of two labels or more has pairs")


def _swap(
    unary: Tensor, distance: Tensor, strength: float, z: Tensor, first: int, second: int
) -> Tensor | None:
    """Return z after all cells of two labels chose between the two; None if that gains nothing."""
    before = z == second
    member = before | (z == first)
    if not member.any():
        return None
    inside = member.to(unary.dtype)
    gap = (distance[:, second] - distance[:, first]).gather(1, z.flatten(1)).view_as(z)
    dearer = unary[..., second] - unary[..., first] + strength * _of_neighbours(gap * (1 - inside))
    weight = strength * distance[:, first, second].view(-1, 1, 1)
    most = weight * _of_neighbours(inside)
    after = torch.where(dearer == 0, before, dearer < 0)
    if (member & (dearer.abs() < most)).any():
        after = _cut(dearer, inside, weight, most)
    after = after & member
    gain = _energy(before, member, dearer, weight) - _energy(after, member, dearer, weight)
    better = (gain > 1e-9).view(-1, 1, 1)
    if not better.any():
        return None
    return torch.where(better & member, torch.where(after, second, first), z)


def _cut(dearer: Tensor, inside: Tensor, weight: Tensor, most: Tensor) -> Tensor:
    # A cell whose own cost exceeds that of all its neighbours is decided. Bounding it does not change the cut
    # and leaves more of its integer steps to the others.
    bounded = dearer.clamp(-2 * most, 2 * most) * inside
    unary = torch.stack([torch.zeros_like(bounded), bounded], -1)
    vertical = weight * inside[:, 1:] * inside[:, :-1]
    horizontal = weight * inside[:, :, 1:] * inside[:, :, :-1]
    decided = inside.bool() & (dearer.abs() >= most)
    return torch.where(decided, dearer < 0, quadratic_labeling(unary, vertical, horizontal).bool())


def _energy(chosen: Tensor, member: Tensor, dearer: Tensor, weight: Tensor) -> Tensor:
    """Return the energy [p] of a choice of the second label among the members, up to a constant."""
    vertical = (chosen[:, 1:] != chosen[:, :-1]) & member[:, 1:] & member[:, :-1]
    horizontal = (chosen[:, :, 1:] != chosen[:, :, :-1]) & member[:, :, 1:] & member[:, :, :-1]
    return (dearer * chosen).sum((1, 2)) + weight.flatten() * (vertical.sum((1, 2)) + horizontal.sum((1, 2)))


def _of_neighbours(values: Tensor) -> Tensor:
    """Sum [p, h, w] over each cell's neighbours, up to four."""
    total = torch.zeros_like(values)
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    total[:, :, 1:] += values[:, :, :-1]
    total[:, :, :-1] += values[:, :, 1:]
    return total
