"""The sums over tuples that a loss of mixed logits is made of, chunk by chunk in memory of one block."""

import math
from functools import cached_property

import torch
from torch import Tensor

# Elements of the blocks of a step: about a core's cache on a CPU, enough to fill the device elsewhere.
_BLOCK_ELEMENTS = {"cpu": 1 << 19}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


class TupleSums:
    """What is summed over tuples: the loss and R, its negative gradient by the logits L, chunk by chunk.

    softmax: R = W^T (W T - s P), the loss is sum_k s_k H(P_k) - <L, R>; P = softmax(W L), H is its entropy.
    sigmoid: likewise. Where the classes are many, W T is not made: then R = S T - W^T s P, and the loss is
    sum_k s_k lse((W L)_k) - <L, S T>, with S = W^T W. For mse S is all there is.
    """

    def __init__(self, logits: Tensor, targets: Tensor, kind: str) -> None:
        self.kind, self.tuples, self.given = kind, 0, targets
        r, b, c = logits.shape
        # For W^T W T: n b c more with targets mixed by chunks (n b by labels), n b b with S first.
        self.by_chunks = c <= b and kind != "mse"
        self.second_moment = None if self.by_chunks else logits.new_zeros(())
        # A constant added to all logits of an example does not change the softmax loss; powers of two are
        # quicker than those of e.
        self.unit = math.log(2) if kind == "softmax" else 1.0
        self.logits = logits.log_softmax(-1).div_(self.unit) if kind == "softmax" else logits
        self.residual = logits.new_empty(r, b, c)
        self.value: Tensor | None = None
        budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)
        self.budget = budget // 2 if self.by_chunks else budget
        self.rows = max(_SMALLEST_CHUNK, self.budget // c)
        self.blocks: dict[str, Tensor] = {}

    @cached_property
    def targets(self) -> Tensor:
        """Targets [1 or r, b, c]."""
        if self.given.dim() > 1:
            return self.given if self.given.dim() > 2 else self.given.unsqueeze(0)
        rows = self.logits.new_zeros(1, *self.logits.shape[1:])
        return rows.scatter_(2, self.given.view(1, -1, 1), 1.0)

    @cached_property
    def mass(self) -> Tensor:
        """What the examples' targets add up to: [1 or r, b, 1]."""
        return self.targets.sum(-1, keepdim=True)

    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        """Add tuples [1 or r, k, b]; gives the unscaled gradient by the weights, [r, k, b], if asked for."""
        rows, c = weights.shape[1], self.logits.shape[2]
        if self.second_moment is not None:
            self.second_moment = self.second_moment + weights.mT @ weights
        if self.kind != "mse":
            positions = max(1, self.budget // (rows * c))
            for start in range(0, self.logits.shape[0], positions):
                self._add_block(slice(start, start + positions), weights)
        self.tuples += rows
        return self._weights_gradient(weights) if weights_gradient else weights

    def _add_block(self, positions: slice, weights: Tensor) -> None:
        logits, weights = _at(self.logits, positions), _at(weights, positions)
        r, rows, c = logits.shape[0], weights.shape[1], logits.shape[2]
        if weights.shape[0] < r:
            weights = weights.expand(r, -1, -1)
        mixed = torch.bmm(weights, logits, out=self._block("mixed", r, rows, c))
        predicted = self._block("predicted", r, rows, c) if self.by_chunks else mixed
        squash = self._softmax if self.kind == "softmax" else self._sigmoid
        factors = squash(mixed, predicted, weights, positions).neg_()
        if self.by_chunks:
            self._add_value(_dot(mixed, predicted.mul_(factors)))
            self._add_targets(predicted, weights, positions)
        else:  # the weights are fewer than the mixed logits
            weights = weights * factors
        _at(self.residual, positions).baddbmm_(weights.mT, predicted, beta=1 if self.tuples else 0)

    def _block(self, name: str, *shape: int) -> Tensor:
        """Memory that all chunks share: fresh pages for each would cost as much as the arithmetic on them."""
        if name not in self.blocks:
            self.blocks[name] = self.residual.new_empty(shape)
        return self.blocks[name].resize_(shape)

    def _softmax(self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice) -> Tensor:
        """Fills in what is s P when multiplied by the factors given; adds to the value.

        That is s lse, or its part of s H(P) once <mixed, s P> is subtracted, for which mixed is shifted.
        """
        mass = weights.sum(-1, keepdim=True) if self.given.dim() == 1 else weights @ _at(self.mass, positions)
        highest = mixed.amax(-1, keepdim=True)
        total = torch.exp2(mixed.sub_(highest), out=predicted).sum(-1, keepdim=True)
        log_total = total.log2()
        self._add_value(_dot(mass, log_total if self.by_chunks else log_total.add_(highest)))
        return mass.div_(total)

    def _sigmoid(self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice) -> Tensor:
        """Fills in P; adds softplus(mixed) to the value."""
        self._add_value(torch.nn.functional.softplus(mixed).sum())
        torch.sigmoid(mixed, out=predicted)
        return mixed.new_ones(())

    def _add_value(self, value: Tensor) -> None:
        self.value = value if self.value is None else self.value.add_(value)

    def _add_targets(self, predicted: Tensor, weights: Tensor, positions: slice) -> None:
        """Adds W T to predicted [r, k, c]."""
        # On a CPU adding by class is cheap, and always in one order.
        if self.given.dim() == 1 and predicted.device.type == "cpu":
            predicted.scatter_add_(2, self.given.expand_as(weights), weights)
        else:
            predicted.baddbmm_(weights, _at(self.targets, positions).expand(len(weights), -1, -1))

    def _weights_gradient(self, weights: Tensor) -> Tensor:
        if self.kind == "mse":
            difference = self.logits - self.targets
            return 2 * weights @ (difference @ difference.mT)
        logits = self.logits * self.unit
        mixed = weights @ logits
        cross = logits @ self.targets.mT
        by_targets = weights @ (cross + cross.mT)
        if self.kind == "sigmoid":
            return mixed.sigmoid() @ logits.mT - by_targets
        by_mass = mixed.logsumexp(-1, keepdim=True) * self.mass.mT
        return (weights @ self.mass) * mixed.softmax(-1) @ logits.mT + by_mass - by_targets

    def finish(self) -> tuple[Tensor, Tensor, float]:
        """The mean loss, its gradient by the logits, and the scale of both: one over all that is averaged."""
        if self.tuples == 0:
            raise ValueError("no tuples given: the iterable of weights is empty")
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * (1 if self.kind == "softmax" else c))
        by_targets = self.residual
        if self.second_moment is not None:
            if self.kind == "mse":
                difference = self.logits - self.targets
                gradient = self.second_moment @ difference
                return _dot(difference, gradient) * scale, gradient.mul_(2 * scale), scale
            by_targets = (self.second_moment @ self.targets).expand_as(self.logits)
            self.residual += by_targets
        assert self.value is not None
        value = self.value.sub_(_dot(self.logits, by_targets))
        return value.mul_(self.unit * scale), self.residual.mul_(-scale), scale


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two tensors of one shape."""
    return x.flatten().dot(y.flatten())


def _at(x: Tensor, positions: slice) -> Tensor:
    """The given positions of [r, ...]; of [1, ...] what holds for all of them."""
    return x[positions] if x.shape[0] > 1 else x
