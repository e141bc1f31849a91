"""A draw is a value with two maps: draw(x) mixes a tensor, draw.targets(t) makes the targets of the result.

Notation: b examples in the batch, n mixed examples, c classes, r positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from .precision import without_autocast


class Draw:
    """The randomness of one step, drawn once and applied to anything whose first dimension is the batch."""

    def __call__(self, x: Tensor) -> Tensor:
        """Mix x [b, ...]; the result has as many rows as `targets` gives."""
        raise NotImplementedError

    def targets(self, targets: Tensor) -> Tensor:
        """Map the examples' targets to those of the mixed examples.

        Args:
            targets: [b, c], or maps of labels [b, c, h, w], of which every place gets those of what it shows.

        Raises:
            ValueError: maps are given to a draw that does not mix images.
        """
        raise NotImplementedError


class Identity(Draw):
    """Nothing is mixed: empirical risk minimisation."""

    def __call__(self, x: Tensor) -> Tensor:
        return x

    def targets(self, targets: Tensor) -> Tensor:
        return targets


@dataclass(frozen=True, eq=False)
class Pairs(Draw):
    """Each example is interpolated with a partner: lam x_i + (1 - lam) x_partner(i).

    lam [1] or [b], the weight of the example itself; partner [b], indices of the examples.
    """

    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = _floating(x)
        return _interpolate(x, self.partner, _per_row(self.lam, x))

    def targets(self, targets: Tensor) -> Tensor:
        return self(targets)


@dataclass(frozen=True, eq=False)
class Masks(Draw):
    """A part of each image is replaced by the partner's.

    keep [1 or b, 1, h, w]: true, or 1, where the example's own pixel stays; lam [1] or [b]: its share.
    """

    keep: Tensor
    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = _floating(x)
        # Exact for weights 0 and 1, and on a CPU several times faster than a choice by booleans.
        return _interpolate(x, self.partner, self.keep.to(x.dtype))

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            return _interpolate(_floating(targets), self.partner, self._keep_at(targets))
        return Pairs(self.lam, self.partner)(targets)

    def _keep_at(self, maps: Tensor) -> Tensor:
        """The mask at the size of the maps: where that is another, the share of every cell that is kept."""
        keep = self.keep.to(maps.dtype if maps.is_floating_point() else torch.float32)
        size = maps.shape[-2], maps.shape[-1]
        return keep if tuple(keep.shape[-2:]) == size else adaptive_avg_pool2d(keep, size)


@dataclass(frozen=True, eq=False)
class Tuples(Draw):
    """n interpolations of the whole batch: row k is sum_i weights[k, i] x_i.

    weights [n, b] for x [b, ...]; dense, [r, n, b] for x [r, b, ...]; rows on the simplex.
    """

    weights: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        batch = self.weights.dim() - 1
        mixed = self._times(x.reshape(*x.shape[:batch], -1))
        mixed = mixed.reshape(*mixed.shape[:batch], *x.shape[batch:])
        images = x.dim() == 4 and batch == 1 and not x.is_contiguous()
        if images and x.is_contiguous(memory_format=torch.channels_last):
            return mixed.contiguous(memory_format=torch.channels_last)
        return mixed

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets) and self.weights.dim() == 3:
            raise no_maps("tuples at every position")
        same_at_all_positions = targets.dim() < self.weights.dim()
        return self._times(targets) if same_at_all_positions else self(targets)

    def _times(self, x: Tensor) -> Tensor:
        x = _floating(x)
        with without_autocast(x.device):
            return self.weights.to(x.dtype) @ x


@dataclass(frozen=True, eq=False)
class KeepTargets(Draw):
    """Mixes as `draw` does and leaves every example its own target (SamplePairing)."""

    draw: Draw

    def __call__(self, x: Tensor) -> Tensor:
        return self.draw(x)

    def targets(self, targets: Tensor) -> Tensor:
        return targets


@dataclass(frozen=True, eq=False)
class Composed(Draw):
    """What `second` mixes of what `first` has mixed: both maps, one after the other."""

    first: Draw
    second: Draw

    def __call__(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))

    def targets(self, targets: Tensor) -> Tensor:
        return self.second.targets(self.first.targets(targets))


def is_map(targets: Tensor) -> bool:
    """Whether targets are maps of labels [b, c, h, w], and not those of whole images."""
    return targets.dim() == 4


def check_size(maps: Tensor, size: tuple[int, int]) -> None:
    """Check that maps of labels are as large as the images that were mixed.

    Raises:
        ValueError: they are not.
    """
    if maps.shape[-2:] != size:
        given, wanted = (" x ".join(map(str, sides)) for sides in (maps.shape[-2:], size))
        raise ValueError(f"maps of labels must be of the images' size {wanted} for this draw, got {given}")


def no_maps(what: str) -> ValueError:
    """The error of a draw that mixes no images."""
    return ValueError(f"targets must be [b, c], got maps of labels [b, c, h, w] for a draw of {what}")


def _floating(x: Tensor) -> Tensor:
    """Integers, such as one-hot targets or uint8 images, as float32: a mixture has no place among them."""
    return x if x.is_floating_point() else x.float()


def _interpolate(x: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    # index_select copies rows faster than indexing, but to rows of the usual order only.
    partners = x.index_select(0, partner) if x.is_contiguous() else x[partner]
    # In place on the partners, which are a copy: memory for one batch, not two.
    return partners.lerp_(x, weight)


def _per_row(lam: Tensor, x: Tensor) -> Tensor:
    return lam.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
