"""A draw that is, for each example of the batch, one of several draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Generator, Tensor

from .draws import Draw


@dataclass(frozen=True, eq=False)
class Chosen(Draw):
    """Row i is row i of the draw number index[i].

    Every draw is applied to the whole batch, so that nothing on the host depends on what was drawn.

    Raises:
        ValueError: a draw does not give as many rows as there are examples.
    """

    draws: tuple[Draw, ...]
    index: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self._select([draw(x) for draw in self.draws])

    def targets(self, targets: Tensor) -> Tensor:
        return self._select([draw.targets(targets) for draw in self.draws])

    def _select(self, parts: list[Tensor]) -> Tensor:
        for part in parts:
            if len(part) != len(self.index):
                raise ValueError(
                    f"a choice for each of {len(self.index)} examples needs draws of as many rows, "
                    f"one gave {len(part)}"
                )
        selected = parts[0]
        for number, part in enumerate(parts[1:], 1):
            selected = torch.where(_column(self.index == number, part), part, selected)
        return selected


def choose_per_sample(
    draws: Sequence[Draw],
    weights: Sequence[float],
    b: int,
    device: torch.device,
    generator: Generator | None,
    pairs: bool = False,
) -> Draw:
    """Take each of b rows from one of several draws.

    Args:
        draws: each of b rows.
        weights: in proportion to which one of them is drawn for every row.
        b: the number of rows.
        device: theirs.
        generator: of the random numbers.
        pairs: choose for rows i and b - 1 - i together.
    """
    if len(draws) == 1:
        return draws[0]
    uniform = torch.rand(b, generator=generator, device=device)
    if pairs:
        row = torch.arange(b, device=device)
        uniform = uniform[torch.minimum(row, row.flip(0))]
    total = sum(weights)
    # Host numbers compared with the device's: no table to copy, and nothing to wait for.
    index = torch.zeros(b, dtype=torch.long, device=device)
    for reached in list(accumulate(weights))[:-1]:
        index += uniform >= reached / total
    return Chosen(tuple(draws), index)


def _column(rows: Tensor, x: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (x.dim() - 1))
