"""Exact labelings of small grids, cell after cell (dynamic programming)."""

from typing import Any

import torch
from torch import Tensor

from ..uncompiled import uncompiled
from .swap import possible_labels, swap_labeling

# Limits of a table: its sums, and its axes, of which NumPy 1 allows 32. Larger problems are solved by swap
# moves. A grid of 4 x 4 exceeds them only if five cells in a row have more than nine possible labels each.
_LARGEST_TABLE = 2**16
_MOST_AXES = 32


@torch.no_grad()
@uncompiled
def grid_labeling(
    unary: Tensor, distance: Tensor, strength: float, start: Tensor, largest: int = _LARGEST_TABLE
) -> Tensor:
    """Find labels z of least energy sum_i U(i, z_i) + strength sum_ij D(z_i, z_j) over neighbours i, j.

    Cells are eliminated row by row, with a table over the labels of the last w cells, of which each has few
    that can be best (`possible_labels`). Problems that would need too large a table are given to
    `swap_labeling`; the others are exact. Computed in float64 on the CPU.

    Args:
        unary: U, [p, h, w, k], for p problems of k labels.
        distance: D, [p, k, k], as in `swap_labeling`.
        strength: weight of the distances.
        start: labels from which `swap_labeling` moves, [p, h, w].
        largest: number of sums that a table may have.

    Returns:
        Labels [p, h, w].

    Examples:
        >>> unary = torch.tensor([[[[0.0, 1.0], [0.6, 0.4]]]], dtype=torch.float64)
        >>> distance = 1 - torch.eye(2, dtype=torch.float64).unsqueeze(0)
        >>> F.grid_labeling(unary, distance, 0.5, torch.zeros(1, 1, 2, dtype=torch.long))
        tensor([[[0, 0]]])
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
    """Number of sums [p] in the largest table: the product of the label counts of w + 1 cells in a row."""
    numbers = possible.sum(-1).flatten(1).double()
    window = min(numbers.shape[1], possible.shape[2] + 1)
    return numbers.unfold(1, window, 1).prod(-1).amax(1)


def _eliminate(unary: Any, between: Any, possible: Any) -> Any:
    """Return the best labels [h, w] of one grid; NumPy arrays unary, possible [h, w, k] and between [k, k].

    The table has an axis for each of the last w cells; its entries are the least energies of all cells before
    them. A cell adds an axis at the end; the cell above it, which has no neighbours left, is minimised away.
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
    """Entrywise minimum of tables [...] and the number of its table; faster than NumPy's argmin."""
    import numpy as np

    least, index = tables[0], np.zeros(tables[0].shape, dtype=np.int64)
    for number, table in enumerate(tables[1:], 1):
        np.copyto(index, number, where=table < least)
        least = np.minimum(least, table)
    return least, index
