"""The sums over tuples that a loss of mixed logits is made of, chunk by chunk in memory of one block."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

# Elements of the blocks of a step: about a core's cache on a CPU, enough to fill the device elsewhere.
_BLOCK_ELEMENTS = {"cpu": 1 << 19}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


class TupleSums(ABC):
    """A loss over tuples and its gradient by the logits L, summed chunk by chunk; `rows` make a good chunk.

    logits [r, b, c]; targets [b] (class indices), [b, c] or [r, b, c].
    """

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        self.logits, self.given, self.tuples = logits, targets, 0
        self.budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)

    @property
    def rows(self) -> int:
        """Tuples of which a chunk fills the block."""
        return max(_SMALLEST_CHUNK, self.budget // self.logits.shape[2])

    @cached_property
    def targets(self) -> Tensor:
        """Targets [1 or r, b, c]."""
        if self.given.dim() > 1:
            return self.given if self.given.dim() > 2 else self.given.unsqueeze(0)
        rows = self.logits.new_zeros(1, *self.logits.shape[1:])
        return rows.scatter_(2, self.given.view(1, -1, 1), 1.0)

    @abstractmethod
    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        """Add tuples [1 or r, k, b]; gives the unscaled gradient by the weights, [r, k, b], if asked for."""

    def finish(self) -> tuple[Tensor, Tensor, float]:
        """The mean loss, its gradient by the logits, and the scale of both: one over all that is averaged."""
        if self.tuples == 0:
            raise ValueError("no tuples given: the iterable of weights is empty")
        return self._means()

    @abstractmethod
    def _means(self) -> tuple[Tensor, Tensor, float]:
        """As `finish`, of some tuples."""


class SquaredSums(TupleSums):
    """Of mse, for which S = W^T W is all there is."""

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        super().__init__(logits, targets)
        self.second_moment = logits.new_zeros(())

    @cached_property
    def difference(self) -> Tensor:
        """How far the logits are from the targets."""
        return self.logits - self.targets

    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        self.second_moment = self.second_moment + weights.mT @ weights
        self.tuples += weights.shape[1]
        return 2 * weights @ (self.difference @ self.difference.mT) if weights_gradient else weights

    def _means(self) -> tuple[Tensor, Tensor, float]:
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * c)
        gradient = self.second_moment @ self.difference
        return dot(self.difference, gradient) * scale, gradient.mul_(2 * scale), scale


class EntropySums(TupleSums):
    """Of a loss phi(z) - <z, t> of mixed logits z = W L and targets t = W T, with P the gradient of phi.

    Sums R = W^T (W T - P), the negative gradient by the logits; with <z, P> taken off phi and added to R, no
    large numbers cancel: the loss is sum_k (phi - <z, P>)_k - <L, R>. Where the classes are many, W T is not
    made: then R = S T - W^T P, with S = W^T W, and the loss is sum_k phi_k - <L, S T>.
    """

    unit = 1.0
    """What the logits are multiples of, once `_scaled` has made them such."""
    per_class = True
    """Whether the loss is averaged over the classes."""

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        super().__init__(self._scaled(logits), targets)
        r, b, c = logits.shape
        # For W^T W T: n b c more with targets mixed by chunks (n b by labels), n b b with S first.
        self.by_chunks = c <= b
        self.second_moment = None if self.by_chunks else logits.new_zeros(())
        self.residual = logits.new_empty(r, b, c)
        self.value: Tensor | None = None
        self.budget = self.budget // 2 if self.by_chunks else self.budget
        self.blocks: dict[str, Tensor] = {}

    def _scaled(self, logits: Tensor) -> Tensor:
        """The logits in a form that costs less and loses less, of the same loss."""
        return logits

    @abstractmethod
    def _predict(
        self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice
    ) -> tuple[Tensor, Tensor]:
        """The sum of phi over mixed [r, k, c], and factors [] or [r, k, 1].

        Fills in `predicted`, which is P when multiplied by the factors; both may be in one piece of memory.
        `mixed` may be shifted, if with `by_chunks` the sum is that of the shifted one.
        """

    @abstractmethod
    def _weights_gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        """The gradient of the sum of phi by the weights, with the logits in units of one."""

    @cached_property
    def mass(self) -> Tensor:
        """What the examples' targets add up to: [1 or r, b, 1]."""
        return self.targets.sum(-1, keepdim=True)

    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        rows, c = weights.shape[1], self.logits.shape[2]
        if self.second_moment is not None:
            self.second_moment = self.second_moment + weights.mT @ weights
        positions = max(1, self.budget // (rows * c))
        for start in range(0, self.logits.shape[0], positions):
            self._add_block(slice(start, start + positions), weights)
        self.tuples += rows
        if not weights_gradient:
            return weights
        logits = self.logits * self.unit
        cross = logits @ self.targets.mT
        return self._weights_gradient(weights, logits) - weights @ (cross + cross.mT)

    def _add_block(self, positions: slice, weights: Tensor) -> None:
        logits, weights = at(self.logits, positions), at(weights, positions)
        r, rows, c = logits.shape[0], weights.shape[1], logits.shape[2]
        if weights.shape[0] < r:
            weights = weights.expand(r, -1, -1)
        mixed = torch.bmm(weights, logits, out=self._block("mixed", r, rows, c))
        predicted = self._block("predicted", r, rows, c) if self.by_chunks else mixed
        value, factors = self._predict(mixed, predicted, weights, positions)
        self._add_value(value)
        factors = factors.neg_()
        if self.by_chunks:
            self._add_value(dot(mixed, predicted.mul_(factors)))
            self._add_targets(predicted, weights, positions)
        else:  # the weights are fewer than the mixed logits
            weights = weights * factors
        at(self.residual, positions).baddbmm_(weights.mT, predicted, beta=1 if self.tuples else 0)

    def _block(self, name: str, *shape: int) -> Tensor:
        """Memory that all chunks share: fresh pages for each would cost as much as the arithmetic on them."""
        if name not in self.blocks:
            self.blocks[name] = self.residual.new_empty(shape)
        return self.blocks[name].resize_(shape)

    def _add_value(self, value: Tensor) -> None:
        self.value = value if self.value is None else self.value.add_(value)

    def _add_targets(self, predicted: Tensor, weights: Tensor, positions: slice) -> None:
        """Adds W T to predicted [r, k, c]."""
        # On a CPU adding by class is cheap, and always in one order.
        if self.given.dim() == 1 and predicted.device.type == "cpu":
            predicted.scatter_add_(2, self.given.expand_as(weights), weights)
        else:
            predicted.baddbmm_(weights, at(self.targets, positions).expand(len(weights), -1, -1))

    def _means(self) -> tuple[Tensor, Tensor, float]:
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * (c if self.per_class else 1))
        by_targets = self.residual
        if self.second_moment is not None:
            by_targets = (self.second_moment @ self.targets).expand_as(self.logits)
            self.residual += by_targets
        assert self.value is not None
        value = self.value.sub_(dot(self.logits, by_targets))
        return value.mul_(self.unit * scale), self.residual.mul_(-scale), scale


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two tensors of one shape."""
    return x.flatten().dot(y.flatten())


def at(x: Tensor, positions: slice) -> Tensor:
    """The given positions of [r, ...]; of [1, ...] what holds for all of them."""
    return x[positions] if x.shape[0] > 1 else x
