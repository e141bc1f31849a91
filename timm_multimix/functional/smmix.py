"""SMMix: paste the most attended region of the partner over the least attended one."""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import interval
from .draws import Draw, Pairs, as_floating, check_size, is_map
from .masks import check_maps
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand


@dataclass(frozen=True, eq=False)
class Moved(Pairs):
    """Pairs in which a square of the partner replaces an equal one elsewhere in the example.

    Targets are mixed as pairs.

    Args:
        rows: row of the partner that comes to each row, [b, h].
        columns: column of the partner that comes to each column, [b, w].
        keep: booleans [b, 1, h, w]: true outside of the example's square.
    """

    rows: Tensor
    columns: Tensor
    keep: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        other = x[self.partner]
        other = other.gather(2, self.rows[:, None, :, None].expand_as(other))
        other = other.gather(3, self.columns[:, None, None, :].expand_as(other))
        return torch.where(self.keep, x, other)

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            check_size(targets, (self.keep.shape[-2], self.keep.shape[-1]))
            return self(targets)
        return Pairs(self.lam, self.partner).targets(targets)


@mixing
def smmix(
    x: Tensor,
    attention: Tensor,
    sides: Annotated[tuple[float, float], interval(1)] = (0.25, 0.75),
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """SMMix's mixing: paste the partner's most attended square over the least attended one, labels by area.

    On the grid of the attention, a square of k x k tokens, with k evenly drawn from floor(sides[0] s) to
    floor(sides[1] s) of the shorter side s, one for the batch, is placed where the sum of the attention is
    largest in the partner and smallest in the example; its pixels replace those (arXiv:2212.12977 and the
    authors' code). The attention costs a forward. Of the method's three losses this is the first: its
    fine-grained labels need a second head in the model, and its consistency with the mixed predictions of the
    clean images is close to what `distill` with the teacher `self` adds. The authors mix half of the batches
    by mixup, `mixup(0.8) | smmix`. For vision transformers whose last attention is over all tokens.

    Args:
        x: images [b, ch, h, w].
        attention: attention to the tokens of the clean images, [b, h', w']: what the positions pay to a
            position in the model's last layer, averaged over queries and heads.
        sides: the smallest and the largest side of the square, as shares of the grid's shorter side.

    Raises:
        ValueError: x is not [b, ch, h, w], or its sides are no multiples of the grid's.

    Examples:
        >>> mixed, draw = F.smmix(torch.rand(4, 3, 32, 32), torch.rand(4, 8, 8))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("smmix", x)
    rows, columns = attention.shape[1:]
    if height % rows or width % columns:
        raise ValueError(
            f"images must have multiples of {rows} x {columns} tokens for smmix, got {height} x {width}"
        )
    low, high = (max(1, int(min(rows, columns) * share)) for share in sides)
    uniform = rand(1, generator=generator, device=x.device)
    side = low + (uniform * (high - low + 1)).long().clamp_max(high - low)
    chosen = find_partners(x, partner, generator)
    target, source = extreme_squares(attention.float(), side)
    row, row_from = _move(target // columns, (source // columns)[chosen], height // rows, height)
    column, column_from = _move(target % columns, (source % columns)[chosen], width // columns, width)
    inside = (row < side * (height // rows)).unsqueeze(2) & (column < side * (width // columns)).unsqueeze(1)
    inside = inside & (row >= 0).unsqueeze(2) & (column >= 0).unsqueeze(1)
    lam = 1 - side.square().float() / (rows * columns)
    return Moved(lam, chosen, row_from, column_from, ~inside.unsqueeze(1))


def extreme_squares(attention: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """Find the squares of `side` [1] cells with the least and the largest attention [b, rows, columns].

    Returns:
        Indices [b], row times columns plus column, of the squares' first corners.
    """
    rows, columns = attention.shape[1:]
    total = nnf.pad(attention.cumsum(1).cumsum(2), (1, 0, 1, 0))
    row, column = (torch.arange(length, device=side.device) for length in (rows, columns))
    row_end, column_end = (row + side).clamp_max(rows), (column + side).clamp_max(columns)
    below, above = total.index_select(1, row_end), total.index_select(1, row)
    strip = below - above
    sums = strip.index_select(2, column_end) - strip.index_select(2, column)
    outside = (row + side > rows).unsqueeze(1) | (column + side > columns)
    least = sums.masked_fill(outside, torch.inf).flatten(1).argmin(1)
    return least, sums.masked_fill(outside, -torch.inf).flatten(1).argmax(1)


def _move(target: Tensor, source: Tensor, cell: int, length: int) -> tuple[Tensor, Tensor]:
    """Pixels [b, length] counted from the target's first one, and those of the source that move to them."""
    place = torch.arange(length, device=target.device) - cell * target.unsqueeze(1)
    return place, (place + cell * source.unsqueeze(1)).clamp(0, length - 1)
