"""The sums over tuples that a loss of mixed logits is made of, chunk by chunk in memory of one block."""

from functools import cached_property

import torch
from torch import Tensor

# Elements of the blocks of a step: about a core's cache on a CPU, enough to fill the device elsewhere.
_BLOCK_ELEMENTS = {"cpu": 1 << 19}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


class TupleSums:
    """What is summed over tuples: the loss and its gradient by the logits L, chunk by chunk.

    softmax: sum_k s_k lse((W L)_k) - <W L, W T> and W^T (s P - W T), with P = softmax(W L); sigmoid likewise,
    with softplus and P = sigmoid(W L). The part with the targets T is made by chunks where the classes are
    few, and else at the end: <L, S T> and S T with S = W^T W, which for mse is all there is.
    """

    def __init__(self, logits: Tensor, targets: Tensor, kind: str) -> None:
        self.kind, self.tuples, self.given = kind, 0, targets
        _, b, c = logits.shape
        # For W^T W T: n b c more with targets mixed by chunks (n b by labels), n b b with S first.
        self.by_chunks = c <= b and kind != "mse"
        # The softmax loss does not change when a constant is added to all logits of one example.
        self.logits = logits - logits.amax(-1, keepdim=True) if kind == "softmax" else logits
        self.gradient = logits.new_empty(logits.shape)
        self.value, self.second_moment = logits.new_zeros(2).unbind()
        budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)
        self.budget = budget // 2 if self.by_chunks else budget
        self.rows = max(_SMALLEST_CHUNK, self.budget // c)
        # Blocks share their memory: fresh pages for each would cost as much as the arithmetic on them.
        self.block, self.target_block = logits.new_empty(0), logits.new_empty(0)

    @cached_property
    def targets(self) -> Tensor:
        """Targets [b, c] or [r, b, c]."""
        if self.given.dim() > 1:
            return self.given
        rows = self.logits.new_zeros(self.logits.shape[1:])
        return rows.scatter_(1, self.given.unsqueeze(1), 1.0)

    @cached_property
    def mass(self) -> Tensor:
        """What the examples' targets add up to: [b, 1] or [r, b, 1]."""
        return self.targets.sum(-1, keepdim=True)

    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        """Add tuples [1 or r, k, b]; gives the unscaled gradient by the weights, [r, k, b], if asked for."""
        rows, c = weights.shape[1], self.logits.shape[2]
        if not self.by_chunks:
            self.second_moment = self.second_moment + weights.mT @ weights
        if self.kind != "mse":
            positions = max(1, self.budget // (rows * c))
            for start in range(0, self.logits.shape[0], positions):
                self._add_block(slice(start, start + positions), weights)
        self.tuples += rows
        return self._weights_gradient(weights) if weights_gradient else weights

    def _add_block(self, positions: slice, weights: Tensor) -> None:
        logits = self.logits[positions]
        r, rows, c = logits.shape[0], weights.shape[1], logits.shape[2]
        weights = weights.expand(r, -1, -1) if weights.shape[0] == 1 else weights[positions]
        mixed = torch.bmm(weights, logits, out=self.block.resize_(r, rows, c))
        targets = self._mix_targets(weights, positions, c) if self.by_chunks else None
        if targets is not None:
            self.value -= _dot(mixed, targets)
        scale = (
            self._squash(mixed) if self.kind == "sigmoid" else self._exponentiate(mixed, weights, positions)
        )
        if targets is not None:
            mixed = mixed.mul_(scale).sub_(targets)
        else:  # the weights are fewer than the mixed logits
            weights = weights * scale
        self.gradient[positions].baddbmm_(weights.mT, mixed, beta=1 if self.tuples else 0)

    def _mix_targets(self, weights: Tensor, positions: slice, c: int) -> Tensor:
        """W T [r, k, c]."""
        r, rows, _ = weights.shape
        mixed = self.target_block.resize_(r, rows, c)
        # On a CPU adding by class is cheap, and always in one order.
        if self.given.dim() == 1 and mixed.device.type == "cpu":
            return mixed.zero_().scatter_add_(2, self.given.expand_as(weights), weights)
        return torch.bmm(weights, _at(self.targets, positions).expand(r, -1, -1), out=mixed)

    def _exponentiate(self, mixed: Tensor, weights: Tensor, positions: slice) -> Tensor:
        """Adds s lse(mixed) to the value; mixed becomes what is s P when multiplied by the factors given."""
        mass = weights.sum(-1, keepdim=True) if self.given.dim() == 1 else weights @ _at(self.mass, positions)
        highest = mixed.amax(-1, keepdim=True)
        total = mixed.sub_(highest).exp_().sum(-1, keepdim=True)
        self.value += _dot(mass, total.log().add_(highest))
        return mass.div_(total)

    def _squash(self, mixed: Tensor) -> Tensor:
        """Adds softplus(mixed) to the value; mixed becomes P."""
        self.value += torch.nn.functional.softplus(mixed).sum()
        mixed.sigmoid_()
        return mixed.new_ones(())

    def _weights_gradient(self, weights: Tensor) -> Tensor:
        if self.kind == "mse":
            difference = self.logits - self.targets
            return 2 * weights @ (difference @ difference.mT)
        mixed = weights @ self.logits
        cross = self.logits @ self.targets.mT
        by_targets = weights @ (cross + cross.mT)
        if self.kind == "sigmoid":
            return mixed.sigmoid() @ self.logits.mT - by_targets
        by_mass = mixed.logsumexp(-1, keepdim=True) * self.mass.mT
        return (weights @ self.mass) * mixed.softmax(-1) @ self.logits.mT + by_mass - by_targets

    def finish(self) -> tuple[Tensor, Tensor, float]:
        """The mean loss, its gradient by the logits, and the scale of both: one over all that is averaged."""
        if self.tuples == 0:
            raise ValueError("no tuples given: the iterable of weights is empty")
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * (1 if self.kind == "softmax" else c))
        if self.kind == "mse":
            difference = self.logits - self.targets
            gradient = self.second_moment @ difference
            return _dot(difference, gradient) * scale, gradient.mul_(2 * scale), scale
        if not self.by_chunks:
            by_targets = (self.second_moment @ self.targets).expand_as(self.logits)
            self.gradient -= by_targets
            self.value -= _dot(self.logits, by_targets)
        return self.value * scale, self.gradient.mul_(scale), scale


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two tensors of one shape."""
    return x.flatten().dot(y.flatten())


def _at(x: Tensor, positions: slice) -> Tensor:
    return x[positions] if x.dim() == 3 else x
