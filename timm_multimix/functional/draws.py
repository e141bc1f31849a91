"""Draws: the randomness of a step as a value, with `draw(x)` for tensors and `draw.targets(t)` for targets.

Notation: b examples in the batch, n mixed examples, c classes, r positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from .precision import without_autocast


class Draw:
    """The randomness of one step, drawn once and applied to any tensor whose first dimension is the batch.

    Examples:
        >>> draw = F.mixup.draw(torch.rand(4, 3, 8, 8))
        >>> draw(torch.rand(4, 10)).shape, draw.targets(torch.eye(4)).sum(dim=1)
        (torch.Size([4, 10]), tensor([1., 1., 1., 1.]))
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Mix x [b, ...]; the result has as many rows as `targets` returns."""
        raise NotImplementedError

    def targets(self, targets: Tensor) -> Tensor:
        """Return the targets of the mixed examples.

        Args:
            targets: targets of the clean examples: [b, c], or label maps [b, c, h, w], of which every place
                gets the labels of what it shows.

        Raises:
            ValueError: label maps, if the draw does not mix images.
        """
        raise NotImplementedError


class Identity(Draw):
    """A draw that mixes nothing: empirical risk minimisation.

    Examples:
        >>> F.Identity()(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """

    def __call__(self, x: Tensor) -> Tensor:
        return x

    def targets(self, targets: Tensor) -> Tensor:
        return targets


@dataclass(frozen=True, eq=False)
class Pairs(Draw):
    """Interpolations of each example with a partner: lam x_i + (1 - lam) x_partner(i).

    Args:
        lam: weight of the example itself, [1] or [b].
        partner: indices of the partners, [b].

    Examples:
        >>> draw = F.Pairs(torch.tensor([0.75]), torch.tensor([1, 0]))
        >>> draw(torch.tensor([0.0, 4.0])), draw.targets(torch.eye(2))[0]
        (tensor([1., 3.]), tensor([0.7500, 0.2500]))
    """

    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        return _interpolate(x, self.partner, _per_row(self.lam, x))

    def targets(self, targets: Tensor) -> Tensor:
        return self(not_indices(targets))


@dataclass(frozen=True, eq=False)
class Masks(Draw):
    """Images of which a part is the partner's.

    Args:
        keep: [1 or b, 1, h, w]: true, or 1, where the example's own pixel stays; weights between 0 and 1
            blend.
        lam: share of the example in its label, [1] or [b].
        partner: indices of the partners, [b].

    Examples:
        >>> draw = F.Masks(torch.tensor([[[[True, False]]]]), torch.tensor([0.5]), torch.tensor([1, 0]))
        >>> draw(torch.tensor([[[[1.0, 1.0]]], [[[2.0, 2.0]]]])).flatten(1)
        tensor([[1., 2.],
                [2., 1.]])
    """

    keep: Tensor
    lam: Tensor
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        # lerp is exact for weights 0 and 1, and on a CPU several times faster than torch.where.
        return _interpolate(x, self.partner, self.keep.to(x.dtype))

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            return _interpolate(as_floating(targets), self.partner, self._keep_at(targets))
        return Pairs(self.lam, self.partner).targets(targets)

    def _keep_at(self, maps: Tensor) -> Tensor:
        """Resize the mask to label maps; a cell then holds the share of it that is kept."""
        keep = self.keep.to(maps.dtype if maps.is_floating_point() else torch.float32)
        size = maps.shape[-2], maps.shape[-1]
        return keep if tuple(keep.shape[-2:]) == size else adaptive_avg_pool2d(keep, size)


@dataclass(frozen=True, eq=False)
class Tuples(Draw):
    """n interpolations of the whole batch: row k is sum_i weights[k, i] x_i.

    Args:
        weights: [n, b] for x [b, ...]; dense, [r, n, b] for x [r, b, ...]. Rows sum to one.

    Examples:
        >>> F.Tuples(torch.tensor([[0.5, 0.5]]))(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[2., 3.]])
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
        not_indices(targets)
        same_at_all_positions = targets.dim() < self.weights.dim()
        return self._times(targets) if same_at_all_positions else self(targets)

    def _times(self, x: Tensor) -> Tensor:
        x = as_floating(x)
        with without_autocast(x.device):
            return self.weights.to(x.dtype) @ x


@dataclass(frozen=True, eq=False)
class KeepTargets(Draw):
    """A draw that mixes as another one does, and keeps every example's own target (SamplePairing).

    Args:
        draw: the draw that mixes.

    Examples:
        >>> draw = F.KeepTargets(F.Pairs(torch.tensor([0.5]), torch.tensor([1, 0])))
        >>> draw(torch.tensor([0.0, 4.0])), draw.targets(torch.tensor([0, 1]))
        (tensor([2., 2.]), tensor([0, 1]))
    """

    draw: Draw

    def __call__(self, x: Tensor) -> Tensor:
        return self.draw(x)

    def targets(self, targets: Tensor) -> Tensor:
        return targets


@dataclass(frozen=True, eq=False)
class Composed(Draw):
    """Two draws, one after the other.

    Args:
        first: applied to the clean examples.
        second: applied to what `first` mixed.

    Examples:
        >>> swap = F.Pairs(torch.tensor([0.0]), torch.tensor([1, 0]))
        >>> F.Composed(swap, swap)(torch.tensor([0.0, 4.0]))
        tensor([0., 4.])
    """

    first: Draw
    second: Draw

    def __call__(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))

    def targets(self, targets: Tensor) -> Tensor:
        return self.second.targets(self.first.targets(targets))


def is_map(targets: Tensor) -> bool:
    """Return whether targets are label maps [b, c, h, w], not targets of whole images."""
    return targets.dim() == 4


def check_size(maps: Tensor, size: tuple[int, int]) -> None:
    """Check that label maps are as large as the images that were mixed.

    Raises:
        ValueError: they are not.
    """
    if maps.shape[-2:] != size:
        given, wanted = (" x ".join(map(str, sides)) for sides in (maps.shape[-2:], size))
        raise ValueError(f"maps of labels must be of the images' size {wanted} for this draw, got {given}")


def not_indices(targets: Tensor) -> Tensor:
    """Return targets; raises ValueError for class indices [b], whose mean is another class."""
    if targets.dim() == 1 and not targets.is_floating_point():
        raise ValueError("targets must be [b, c], which soft_targets makes of class indices, got indices [b]")
    return targets


def no_maps(what: str) -> ValueError:
    """Return the error for label maps given to a draw that does not mix images."""
    return ValueError(f"targets must be [b, c], got maps of labels [b, c, h, w] for a draw of {what}")


def as_floating(x: Tensor) -> Tensor:
    """Convert integers, such as one-hot targets or uint8 images, to float32: a mixture is not an integer."""
    return x if x.is_floating_point() or x.is_complex() else x.float()


def _interpolate(x: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    # index_select is faster than indexing, but does not keep memory formats such as channels_last.
    partners = x.index_select(0, partner) if x.is_contiguous() else x[partner]
    # In place on the partners, which are a copy: memory for one batch, not two.
    return partners.lerp_(x, weight)


def _per_row(lam: Tensor, x: Tensor) -> Tensor:
    return lam.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
