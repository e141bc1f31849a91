"""Co-Mixup: the images of a batch are composed of each other's salient cells, and kept diverse together.

Notation: p partitions of the batch with up to m inputs and as many outputs, g the cells along a side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .draws import Draw, Tuples, _floating
from .elimination import grid_labeling
from .masks import check_maps
from .mixing import mixing
from .puzzlemix import _shares
from .sampling import dirichlet_weights

# What an input costs that a short partition lacks: more than all that an output can win.
_ABSENT = 1e3
# What the authors take off a cell of two halves, and the distance to either of the two.
_HALVES_BONUS = 5e-4
_HALVES_DISTANCE = 0.25


@dataclass(frozen=True, eq=False)
class Mosaic(Draw):
    """Every cell of a grid shows an example of its own, or the average of two.

    first, second [b, g, g]: the examples that cell (i, j) of row k shows; the same where it shows but one.
    """

    first: Tensor
    second: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = _floating(x)
        (rows, columns), (height, width) = self.first.shape[1:], x.shape[-2:]
        mixed = torch.empty_like(x)
        for i in range(rows):
            down = slice(i * height // rows, (i + 1) * height // rows)
            for j in range(columns):
                right = slice(j * width // columns, (j + 1) * width // columns)
                cell = x[:, :, down, right]
                one, other = cell[self.first[:, i, j]], cell[self.second[:, i, j]]
                mixed[:, :, down, right] = one.lerp_(other, 0.5)
        return mixed

    def targets(self, targets: Tensor) -> Tensor:
        return Tuples(self.shares(len(targets)))(targets)

    def shares(self, b: int) -> Tensor:
        """The share [b, b] of the grid that every example has in every row."""
        return _count(torch.stack([self.first, self.second], -1), b) / self.first[0].numel()


@mixing
@torch.compiler.disable
def co_mixup(
    x: Tensor,
    saliency: Tensor,
    alpha: float = 2.0,
    beta: float = 0.32,
    gamma: float = 1.0,
    eta: float = 0.05,
    threshold: float = 0.83,
    omega: float = 0.001,
    iterations: int = 4,
    partition: int = 20,
    halves: bool = True,
    resolve: bool = True,
    grid: int = 4,
    generator: Generator | None = None,
) -> Draw:
    """Compose outputs of many of x [b, ch, h, w] by saliency [b, h, w], all together (arXiv:2102.03065).

    Each `partition` of consecutive examples makes as many outputs, by `joint_labeling` of `input_costs` and
    `compatibility` on the CPU, from random labels. Targets are by area.

    Raises:
        ValueError: x is not [b, ch, h, w], saliency is not of its size, or the grid does not divide it.
    """
    height, width = check_maps("co_mixup", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency {list(saliency.shape)} given, {[len(x), height, width]} is needed")
    if height % grid or width % grid:
        raise ValueError(
            f"co_mixup with grid={grid} given images of {height} x {width}, needs a number of cells that "
            "divides both"
        )
    sizes = [min(partition, len(x) - begin) for begin in range(0, len(x), partition)]
    prior = torch.cat([dirichlet_weights(1, n, alpha, None, generator, device=x.device)[0] for n in sizes])
    random = torch.rand(len(x), grid, grid, generator=generator, device=x.device)
    maps = saliency.float()
    cells = _shares(nnf.avg_pool2d(maps, (height // grid, width // grid)))
    costs = [part.double().cpu() for part in input_costs(cells, prior, eta).split(partition)]
    related = [compatibility(part, omega).double().cpu() for part in maps.split(partition)]
    parts = zip(random.split(partition), sizes, strict=True)
    labels = [(part * n).long().clamp_max(n - 1).cpu() for part, n in parts]
    found = joint_labeling(
        costs, related, labels, beta, gamma, threshold, iterations, halves=halves, resolve=resolve
    )
    chosen = torch.cat([part + partition * k for k, part in enumerate(found)]).to(x.device)
    return Mosaic(chosen[..., 0], chosen[..., 1])


def input_costs(cells: Tensor, prior: Tensor, eta: float) -> Tensor:
    """What showing input k costs [n, g, g]: its cell's saliency, lost to minimise, and the prior's -log.

    cells [n, g, g], adding up to one; prior [n], a Dirichlet draw, weighted by eta / g^2; 1e-8 is theirs.
    """
    return -cells - eta / cells[0].numel() * (prior + 1e-8).log().view(-1, 1, 1)


def compatibility(saliency: Tensor, omega: float) -> Tensor:
    """A = (1 - omega) I + omega n D / sum D, [n, n]: how much inputs speak against each other in two outputs.

    saliency [n, h, w]; D are the L1 distances between the centres of the most salient windows, of a quarter
    of the sides (the authors' 8 of 32 pixels).
    """
    height, width = saliency.shape[-2:]
    window = max(1, height // 4), max(1, width // 4)
    mean = nnf.avg_pool2d(nnf.avg_pool2d(saliency, (window[0], 1), 1), (1, window[1]), 1)
    peak = mean.flatten(1).argmax(1)
    place = torch.stack([peak // mean.shape[-1], peak % mean.shape[-1]], -1).float()
    distance = torch.cdist(place, place, p=1)
    relative = len(saliency) * distance / distance.sum().clamp_min(1e-30)
    return (1 - omega) * torch.eye(len(saliency), device=saliency.device) + omega * relative


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
    """Which inputs [n, g, g, 2] the cells of n outputs show, for each partition: equal ones, or two halves.

    costs [n, g, g], related [n, n] (A), start [n, g, g], in float64 on the CPU; only the last partition may
    be shorter. With n_j the cells that the inputs have in output j, the objective is sum_j sum_i cost +
    beta / g^2 (neighbours that differ) + gamma / g^2 sum_j n_j . A sum_j' n_j', j' not j. One output after
    the other is labeled anew with all others as they are, which makes the last term linear: 2 gamma / g^2
    n_j . v, v = A sum_j' n_j'. Of v only what is above threshold g^2 counts. From the second iteration cells
    may be halves of the output's three largest inputs; before the last, outputs of the same inputs are made
    to part (resolve).
    """
    sizes, cells = [len(part) for part in costs], start[0][0].numel()
    unary, joint = _padded(costs, _ABSENT), _padded(related, 0.0, square=True)
    labels = _padded(start, 0).unsqueeze(-1).repeat(1, 1, 1, 1, 2)
    counts = torch.stack([_count(part, len(costs[0])).double() for part in labels])
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
            counts[some, j] = _count(found, counts.shape[-1]).double()
        if resolve and iteration == iterations - 2:
            extra = _parting(counts)
    return [part[:n] for part, n in zip(labels, sizes, strict=True)]


def relabel(unary: Tensor, labels: Tensor, counts: Tensor, strength: float, halves: bool) -> Tensor:
    """Labels [p, g, g, 2] of one output of each partition by swap moves from the labels that it has.

    unary [p, m, g, g] of whole inputs; counts [p, m], the inputs' cells in it.
    """
    p, m = unary.shape[:2]
    unary = unary.movedim(1, -1)
    candidates = torch.arange(m).view(1, m, 1).expand(p, m, 2)
    if halves and m > 1:
        pairs, shown = _pairs_of_largest(counts)
        parts = unary.gather(-1, pairs.view(p, 1, 1, -1).expand(*unary.shape[:3], -1))
        mean = parts.unflatten(-1, (-1, 2)).mean(-1) - _HALVES_BONUS
        unary = torch.cat([unary, torch.where(shown.view(p, 1, 1, -1), mean, _ABSENT)], -1)
        candidates = torch.cat([candidates, pairs], 1)
    same = (labels.unsqueeze(3) == candidates.view(p, 1, 1, -1, 2)).all(-1)
    # Halves that are not offered again start as the cell's cheapest label.
    start = torch.where(same.any(-1), same.int().argmax(-1), unary.argmin(-1))
    found = grid_labeling(unary, _distances(candidates), strength, start)
    return candidates[torch.arange(p).view(-1, 1, 1), found]


def _pairs_of_largest(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs [p, 1 or 3, 2] of the three inputs with the most cells, and whether both of them are shown."""
    largest = counts.topk(min(3, counts.shape[1]), dim=1).indices.sort(dim=1).values
    index = torch.combinations(torch.arange(largest.shape[1]))
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
    """1 where an output [p, m, m] is to avoid an input, as it shows several and another output the same.

    Of two such outputs the earlier is to avoid its first input, the later its second.
    """
    shown = counts > 0
    twins = (shown.unsqueeze(2) == shown.unsqueeze(1)).all(-1) & (shown.sum(-1) > 1).unsqueeze(2)
    twins = twins.triu(1)
    rank = shown.cumsum(-1) * shown
    earlier = (rank == 1) & twins.any(2).unsqueeze(-1)
    later = (rank == 2) & twins.any(1).unsqueeze(-1)
    return (earlier | later).double()


def _count(labels: Tensor, b: int) -> Tensor:
    """How many cells [n, b] each of b inputs has in labels [n, g, g, 2], halves counted as such."""
    flat = labels.flatten(1)
    ones = torch.full(flat.shape, 0.5, device=labels.device)
    return torch.zeros(len(labels), b, device=labels.device).scatter_add_(1, flat, ones)


def _padded(parts: list[Tensor], value: float, square: bool = False) -> Tensor:
    """One tensor [p, m, ...] of parts [n, ...], filled up to the first one's n; square: in two dimensions."""
    full = parts[0].new_full((len(parts), *parts[0].shape), value)
    for row, part in zip(full, parts, strict=True):
        row[(slice(len(part)),) * (1 + square)] = part
    return full
