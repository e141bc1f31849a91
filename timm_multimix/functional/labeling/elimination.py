"""Labelings of small grids with the least energy of all, cell after cell (dynamic programming)."""

from typing import Any

import torch
from torch import Tensor

from ..uncompiled import uncompiled
from .swap import possible_labels, swap_labeling

# Sums that a table may have, and axes, of which NumPy 1 allows 32; beyond that labels are swapped. A grid of
# 4 x 4 has more only where five cells in a row have more than nine labels each that may be best.
_LARGEST_TABLE = 2**16
_MOST_AXES = 32


@torch.no_grad()
@uncompiled
def grid_labeling(
    unary: Tensor, distance: Tensor, strength: float, start: Tensor, largest: int = _LARGEST_TABLE
) -> Tensor:
    """Labels z [p, h, w] of least energy sum_i U(i, z_i) + strength sum_ij D(z_i, z_j) over neighbours i, j.

    As `swap_labeling`, whose moves from `start` serve those of the p problems that would need tables of more
    than `largest` sums; the others are exact: cells are eliminated row by row, with a table over the labels
    of the last w cells, of which each has few that may be best (`possible_labels`). In float64 on the CPU.
    """
    possible = possible_labels(unary, distance, strength)
    exact = (_table_sizes(possible) <= largest) & (possible.shape[2] < _MOST_AXES)
    labels = torch.empty_like(start)
    if not exact.all():
        hard = ~exact
        labels[hard] = swap_labeling(unary[hard], distance[hard], strength, start[hard])
    between = (strength * distance).numpy()
    for k in exact.nonzero().flatten().tolist():
        labels[k] = torch.from_numpy(_eliminate(unary[k].numpy(), between[k], possible[k].numpy()))
    return labels


def _table_sizes(possible: Tensor) -> Tensor:
    """The sums [p] in the largest table: the product of the numbers of labels of w + 1 cells in a row."""
    numbers = possible.sum(-1).flatten(1).double()
    window = min(numbers.shape[1], possible.shape[2] + 1)
    return numbers.unfold(1, window, 1).prod(-1).amax(1)


def _eliminate(unary: Any, between: Any, possible: Any) -> Any:
    """The best labels [h, w] of one grid: NumPy arrays unary, possible [h, w, k] and between [k, k].

    The table has an axis for each of the last w cells; its entries are the least energies of all cells before
    them. A cell adds an axis at the end; the one above it, which has no neighbours left, is minimised away.
    """
    import numpy as np

    (h, w), cells = unary.shape[:2], unary.shape[0] * unary.shape[1]
    labels = [row.nonzero()[0] for row in possible.reshape(cells, -1)]
    costs = unary.reshape(cells, -1)
    table, best = np.zeros(()), []
    for cell, own in enumerate(labels):
        step = costs[cell, own]
        if cell % w:
            step = step + between[labels[cell - 1][:, None], own]
        if cell < w:
            table = table[..., None] + step
            continue
        above = between[labels[cell - w][:, None], own]
        table, choices = _least(
            [part[..., None] + (step + own) for part, own in zip(table, above, strict=True)]
        )
        best.append(choices)
    chosen = list(np.unravel_index(table.argmin(), table.shape))
    for choices in reversed(best):
        chosen.insert(0, choices[tuple(chosen[:w])])
    return np.array([own[k] for own, k in zip(labels, chosen, strict=True)]).reshape(h, w)


def _least(tables: list[Any]) -> tuple[Any, Any]:
    """The least of tables [...] entry by entry, and in which it is: NumPy's argmin over them is slower."""
    import numpy as np

    least, index = tables[0], np.zeros(tables[0].shape, dtype=np.int64)
    for number, table in enumerate(tables[1:], 1):
        np.copyto(index, number, where=table < least)
        least = np.minimum(least, table)
    return least, index
