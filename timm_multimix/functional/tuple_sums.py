"""Sums over tuples from which the losses of mixed logits are computed, chunk by chunk in bounded memory."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

# Elements of a block: about a core's cache on a CPU, enough to fill an accelerator.
_BLOCK_ELEMENTS = {"cpu": 1 << 19}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


class TupleSums(ABC):
    """A loss over tuples and its gradient by the logits L, summed chunk by chunk.

    Args:
        logits: [r, b, c].
        targets: class indices [b], or targets [b, c] or [r, b, c].
    """

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        self.logits, self.given, self.tuples = logits, targets, 0
        self.budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)

    @property
    def rows(self) -> int:
        """Number of tuples in a chunk that fills the block."""
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
        """Add tuples [1 or r, k, b]; return the unscaled gradient by the weights, [r, k, b], if asked for."""

    def finish(self) -> tuple[Tensor, Tensor, float]:
        """Return the mean loss, its gradient by the logits, and the scale of both: 1 / number of terms."""
        if self.tuples == 0:
            raise ValueError("weights must hold at least one tuple, got an empty iterable")
        return self._means()

    @abstractmethod
    def _means(self) -> tuple[Tensor, Tensor, float]:
        """Return what `finish` does, for at least one tuple."""


class SquaredSums(TupleSums):
    """Sums of the squared error, which needs nothing but S = W^T W."""

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        super().__init__(logits, targets)
        self.second_moment = logits.new_zeros(())

    @cached_property
    def difference(self) -> Tensor:
        """Logits minus targets."""
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
    """Sums of a loss phi(z) - <z, t> of mixed logits z = W L and targets t = W T, with P the gradient of phi.

    It sums R = W^T (W T - P), the negative gradient by the logits; with <z, P> subtracted from phi and added
    to R, no large numbers cancel: the loss is sum_k (phi - <z, P>)_k - <L, R>. With many classes W T is not
    computed: then R = S T - W^T P, with S = W^T W, and the loss is sum_k phi_k - <L, S T>.
    """

    unit = 1.0
    """Unit of the logits after `_scaled`."""
    per_class = True
    """Whether the loss is averaged over the classes."""

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        super().__init__(self._scaled(logits), targets)
        r, b, c = logits.shape
        # W^T W T costs n b c multiplications with targets mixed by chunks (n b with class indices), n b b
        # with S = W^T W first.
        self.by_chunks = c <= b
        self.second_moment = None if self.by_chunks else logits.new_zeros(())
        self.residual = logits.new_empty(r, b, c)
        self.value: Tensor | None = None
        self.budget = self.budget // 2 if self.by_chunks else self.budget
        self.blocks: dict[str, Tensor] = {}

    def _scaled(self, logits: Tensor) -> Tensor:
        """Return the logits in a form of the same loss that is cheaper and more precise."""
        return logits

    @abstractmethod
    def _predict(
        self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of phi over mixed [r, k, c], and factors [] or [r, k, 1]; fill in `predicted`.

        `predicted` times the factors is P; it may share memory with `mixed`. `mixed` may be shifted, if with
        `by_chunks` the sum is that of the shifted one.
        """

    @abstractmethod
    def _weights_gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        """Return the gradient of the sum of phi by the weights, with the logits in units of one."""

    @cached_property
    def mass(self) -> Tensor:
        """Sum of each example's targets: [1 or r, b, 1]."""
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
        else:  # scaling the weights is cheaper than scaling the mixed logits, which are more
            weights = weights * factors
        at(self.residual, positions).baddbmm_(weights.mT, predicted, beta=1 if self.tuples else 0)

    def _block(self, name: str, *shape: int) -> Tensor:
        """Memory that all chunks share: fresh pages for each would cost as much as the arithmetic on them."""
        block = self.blocks.get(name)
        if block is None:
            block = self.blocks[name] = self.residual.new_empty(shape)
        return block if block.shape == shape else block.resize_(shape)

    def _add_value(self, value: Tensor) -> None:
        self.value = value if self.value is None else self.value.add_(value)

    def _add_targets(self, predicted: Tensor, weights: Tensor, positions: slice) -> None:
        """Add W T to predicted [r, k, c]."""
        # On a CPU scatter_add_ is fast and deterministic; on accelerators it is neither.
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
    """Return the sum of the products of two tensors of one shape."""
    return x.flatten().dot(y.flatten())


def at(x: Tensor, positions: slice) -> Tensor:
    """Return the given positions of [r, ...]; [1, ...] holds for all positions."""
    return x[positions] if x.shape[0] > 1 else x
