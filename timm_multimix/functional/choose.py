"""Choose one of several draws for each example of the batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Generator, Tensor

from .draws import Draw
from .rand import rand


@dataclass(frozen=True, eq=False)
class Chosen(Draw):
    """A draw whose row i is row i of the draw with the number index[i].

    Every draw is applied to the whole batch, so that the host never waits to know which one was chosen.

    Args:
        draws: the draws to choose from, each of b rows.
        index: number of the draw for each row, [b].

    Raises:
        ValueError: when applied, a draw does not return as many rows as there are examples.
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
                    f"draws to choose from must return {len(self.index)} rows, one for each example, "
                    f"got {len(part)}"
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
    """Choose one of several draws for each row.

    Args:
        draws: draws of b rows each.
        weights: probabilities of the draws, up to a common factor.
        b: number of rows.
        device: device of the choice, that of the draws.
        generator: source of all random numbers.
        pairs: whether rows i and b - 1 - i get the same draw.

    Returns:
        A draw of b rows.

    Examples:
        >>> x = torch.rand(4, 3, 8, 8)
        >>> draws = [F.mixup.draw(x), F.cutmix.draw(x)]
        >>> F.choose_per_sample(draws, [0.5, 0.5], len(x), x.device, None)(x).shape
        torch.Size([4, 3, 8, 8])
    """
    if len(draws) == 1:
        return draws[0]
    uniform = rand(b, generator=generator, device=device)
    if pairs:
        row = torch.arange(b, device=device)
        uniform = uniform[torch.minimum(row, row.flip(0))]
    total = sum(weights)
    # Comparisons with Python numbers: no table to copy to the device, and no synchronization.
    index = torch.zeros(b, dtype=torch.long, device=device)
    for reached in list(accumulate(weights))[:-1]:
        index += uniform >= reached / total
    return Chosen(tuple(draws), index)


def _column(rows: Tensor, x: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (x.dim() - 1))
