"""Joint labelings of many mixes: the objective of Co-Mixup and its minimisation.

Notation: p partitions of the batch with up to m inputs and as many outputs, g the cells along a side.
"""

import torch
from torch import Tensor

from .elimination import grid_labeling

# Cost of the inputs that a shorter partition is padded with: more than any output can gain.
_ABSENT = 1e3
# The authors' bonus for a cell of two halves, and its distance to either of the two.
_HALVES_BONUS = 5e-4
_HALVES_DISTANCE = 0.25


@torch.no_grad()
def joint_labeling(
    costs: list[Tensor],
    related: list[Tensor],
    start: list[Tensor],
    beta: float,
    gamma: float,
    threshold: float,
    iterations: int,
    halves: bool = True,
    resolve: bool = True,
) -> list[Tensor]:
    """Find which inputs the cells of n outputs show, for each partition: equal ones, or two halves.

    With n_j the cells that the inputs have in output j, the objective is sum_j sum_i cost + beta / g^2
    (neighbours that differ) + gamma / g^2 sum_j n_j . A sum_j' n_j', j' not j. One output after the other is
    labeled anew while the others stay, which makes the last term linear: 2 gamma / g^2 n_j . v with v = A
    sum_j' n_j'. Only the part of v above threshold g^2 counts. From the second iteration cells may be halves
    of the output's three largest inputs; before the last, outputs of the same inputs are made different
    (resolve).

    Args:
        costs: for each partition [n, g, g], in float64 on the CPU; only the last one may be shorter.
        related: A for each partition, [n, n].
        start: first labels for each partition, [n, g, g].
        beta: weight of neighbours that differ.
        gamma: weight of what two outputs have in common.
        threshold: below it an input's part in the other outputs does not count.
        iterations: times that every output is labeled anew.
        halves: whether a cell may show two inputs.
        resolve: whether outputs of the same inputs are made different.

    Returns:
        For each partition the inputs [n, g, g, 2] of every cell.
    """
    sizes, cells = [len(part) for part in costs], start[0][0].numel()
    unary, joint = _padded(costs, _ABSENT), _padded(related, 0.0, square=True)
    labels = _padded(start, 0).unsqueeze(-1).repeat(1, 1, 1, 1, 2)
    counts = torch.stack([count_cells(part, len(costs[0])).double() for part in labels])
    counts[-1, sizes[-1] :] = 0
    extra = torch.zeros_like(counts)
    for iteration in range(iterations):
        for j in range(sizes[0]):
            some = slice(len(sizes) if j < sizes[-1] else len(sizes) - 1)
            against = (joint[some] @ (counts[some].sum(1) - counts[some, j]).unsqueeze(-1)).squeeze(-1)
            penalty = 2 * against * (against > threshold * cells) + extra[some, j]
            modular = unary[some] + gamma / cells * penalty.view(*penalty.shape, 1, 1)
            mixable = halves and iteration > 0
            found = relabel(modular, labels[some, j], counts[some, j], beta / cells, mixable)
            labels[some, j] = found
            counts[some, j] = count_cells(found, counts.shape[-1]).double()
        if resolve and iteration == iterations - 2:
            extra = _parting(counts)
    return [part[:n] for part, n in zip(labels, sizes, strict=True)]


def count_cells(labels: Tensor, b: int) -> Tensor:
    """Count how many cells [n, b] each of b inputs has in labels [n, g, g, 2]; a half counts as 1/2."""
    flat = labels.flatten(1)
    ones = torch.full(flat.shape, 0.5, device=labels.device, dtype=torch.float32)
    return torch.zeros(len(labels), b, device=labels.device, dtype=torch.float32).scatter_add_(1, flat, ones)


def relabel(unary: Tensor, labels: Tensor, counts: Tensor, strength: float, halves: bool) -> Tensor:
    """Label one output of each partition anew, by swap moves from its present labels [p, g, g, 2].

    unary [p, m, g, g] of whole inputs; counts [p, m], the inputs' cells in it.
    """
    p, m = unary.shape[:2]
    unary = unary.movedim(1, -1)
    candidates = torch.arange(m, device=unary.device).view(1, m, 1).expand(p, m, 2)
    if halves and m > 1:
        pairs, shown = _pairs_of_largest(counts)
        parts = unary.gather(-1, pairs.view(p, 1, 1, -1).expand(*unary.shape[:3], -1))
        mean = parts.unflatten(-1, (-1, 2)).mean(-1) - _HALVES_BONUS
        unary = torch.cat([unary, torch.where(shown.view(p, 1, 1, -1), mean, _ABSENT)], -1)
        candidates = torch.cat([candidates, pairs], 1)
    same = (labels.unsqueeze(3) == candidates.view(p, 1, 1, -1, 2)).all(-1)
    # A cell whose halves are no longer candidates starts with its cheapest label.
    start = torch.where(same.any(-1), same.int().argmax(-1), unary.argmin(-1))
    found = grid_labeling(unary, _distances(candidates), strength, start)
    return candidates[torch.arange(p, device=unary.device).view(-1, 1, 1), found]


def _pairs_of_largest(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs [p, 1 or 3, 2] of the three inputs with the most cells, and whether both of them are shown."""
    largest = counts.topk(min(3, counts.shape[1]), dim=1).indices.sort(dim=1).values
    index = torch.combinations(torch.arange(largest.shape[1], device=counts.device))
    pairs = largest[:, index]
    return pairs, (counts.gather(1, pairs.flatten(1)) > 0).view_as(pairs).all(-1)


def _distances(candidates: Tensor) -> Tensor:
    """D [p, k, k] of labels [p, k, 2]: 0 to itself, 1 to others, 1/4 between halves and one of the two."""
    one, other = candidates.unsqueeze(2), candidates.unsqueeze(1)
    same = (one == other).all(-1)
    whole = candidates[..., 0] == candidates[..., 1]
    common = (one == other).any(-1) & (whole.unsqueeze(2) != whole.unsqueeze(1))
    return torch.where(common, _HALVES_DISTANCE, 1.0).double().masked_fill(same, 0)


def _parting(counts: Tensor) -> Tensor:
    """1 where an output [p, m, m] is to avoid an input, as another output shows the same several inputs.

    Of two such outputs the earlier avoids its first input, the later its second.
    """
    shown = counts > 0
    twins = (shown.unsqueeze(2) == shown.unsqueeze(1)).all(-1) & (shown.sum(-1) > 1).unsqueeze(2)
    twins = twins.triu(1)
    rank = shown.cumsum(-1) * shown
    earlier = (rank == 1) & twins.any(2).unsqueeze(-1)
    later = (rank == 2) & twins.any(1).unsqueeze(-1)
    return (earlier | later).double()


def _padded(parts: list[Tensor], value: float, square: bool = False) -> Tensor:
    """Stack parts [n, ...] into [p, m, ...], padded to the first one's n; square: in two dimensions."""
    full = parts[0].new_full((len(parts), *parts[0].shape), value)
    for row, part in zip(full, parts, strict=True):
        row[(slice(len(part)),) * (1 + square)] = part
    return full
