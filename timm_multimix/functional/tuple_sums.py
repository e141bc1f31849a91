"""The sums over tuples that a loss of mixed logits is made of, chunk by chunk in memory of one block."""

from functools import cached_property

import torch
from torch import Tensor

# Elements of one block of mixed logits: about a core's cache on a CPU, enough to fill the device elsewhere.
_BLOCK_ELEMENTS = {"cpu": 1 << 18}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


class TupleSums:
    """What is summed over tuples: the descent by the logits L, and the entropies that make it the loss.

    With P = softmax(W L) the loss is  sum_k s_k H(P_k) - <L, D>,  H the entropy and D the negative gradient
    summed over tuples, W^T (W T - s P); under sigmoid likewise, with P = sigmoid(W L) and binary entropies.
    """

    def __init__(self, logits: Tensor, targets: Tensor, kind: str) -> None:
        self.kind, self.tuples, self.given = kind, 0, targets
        # On a CPU adding by class is cheap, and always in one order.
        self.labels = targets if targets.dim() == 1 and targets.device.type == "cpu" else None
        # The softmax loss does not change when a constant is added to all logits of one example.
        self.logits = logits - logits.amax(-1, keepdim=True) if kind == "softmax" else logits
        self.descent = torch.zeros_like(logits)
        self.entropy = logits.new_zeros(())
        _, b, c = logits.shape
        # For W^T W T: n b c more with targets mixed by chunks (n b with labels), n b b with S = W^T W first.
        self.mix_targets = (c < b or self.labels is not None) and kind != "mse"
        self.second_moment = logits.new_zeros(())
        self.budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)
        self.rows = max(_SMALLEST_CHUNK, self.budget // c)
        # Blocks share their memory: fresh pages for each would cost as much as the arithmetic on them.
        self.mixed, self.residual = logits.new_empty(0), logits.new_empty(0)

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

    def _mixed_mass(self, weights: Tensor, positions: slice) -> Tensor:
        """What the mixed targets add up to."""
        if self.labels is not None:
            return weights.sum(-1, keepdim=True)
        return weights @ _at(self.mass, positions)

    def add(self, weights: Tensor, weights_gradient: bool) -> Tensor:
        """Add tuples [1 or r, k, b]; gives the unscaled gradient by the weights, [r, k, b], if asked for."""
        rows, c = weights.shape[1], self.logits.shape[2]
        self.tuples += rows
        if not self.mix_targets:
            self.second_moment = self.second_moment + weights.mT @ weights
        if self.kind != "mse":
            block = max(1, self.budget // (rows * c))
            for start in range(0, len(self.logits), block):
                self._add_block(slice(start, start + block), weights)
        return self._weights_gradient(weights) if weights_gradient else weights

    def _add_block(self, positions: slice, weights: Tensor) -> None:
        logits = self.logits[positions]
        r, rows, c = logits.shape[0], weights.shape[1], logits.shape[2]
        weights = weights.expand(r, -1, -1) if weights.shape[0] == 1 else weights[positions]
        mixed, residual = (buffer.resize_(r, rows, c) for buffer in (self.mixed, self.residual))
        torch.bmm(weights, logits, out=mixed)
        if self.kind == "softmax":
            torch.softmax(mixed, -1, out=residual)
            mass = self._mixed_mass(weights, positions)
            self.entropy += _dot(mass, _log_partition(mixed, residual))
            residual.mul_(mass.neg_())
        else:
            torch.sigmoid(mixed, out=residual).neg_()
            self.entropy += torch.nn.functional.softplus(mixed).sum()
        self.entropy += _dot(mixed, residual)
        if self.labels is not None:
            residual.scatter_add_(2, self.labels.expand_as(weights), weights)
        elif self.mix_targets:
            residual.baddbmm_(weights, _at(self.targets, positions).expand(r, -1, -1))
        self.descent[positions].baddbmm_(weights.mT, residual)

    def _weights_gradient(self, weights: Tensor) -> Tensor:
        if self.kind == "mse":
            difference = self.logits - self.targets
            return 2 * weights @ (difference @ difference.mT)
        mixed = weights @ self.logits
        cross = self.logits @ self.targets.mT
        by_targets = weights @ (cross + cross.mT)
        if self.kind == "sigmoid":
            return mixed.sigmoid() @ self.logits.mT - by_targets
        probabilities = mixed.softmax(-1)
        by_mass = _log_partition(mixed, probabilities) * self.mass.mT
        return (weights @ self.mass) * probabilities @ self.logits.mT + by_mass - by_targets

    def finish(self) -> tuple[Tensor, Tensor, float]:
        """The mean loss, its gradient by the logits, and the scale of both: one over all that is averaged."""
        if self.tuples == 0:
            raise ValueError("no tuples given: the iterable of weights is empty")
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * (1 if self.kind == "softmax" else c))
        if self.kind == "mse":
            difference = self.logits - self.targets
            self.descent -= self.second_moment @ difference
            value = -_dot(difference, self.descent)
            return value * scale, self.descent.mul_(-2 * scale), scale
        if not self.mix_targets:
            self.descent += self.second_moment @ self.targets
        value = self.entropy - _dot(self.logits, self.descent)
        return value * scale, self.descent.mul_(-scale), scale


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two tensors of one shape."""
    return x.flatten().dot(y.flatten())


def _log_partition(logits: Tensor, probabilities: Tensor) -> Tensor:
    """log-sum-exp over the last dimension from the softmax, without another exponential."""
    return logits.amax(-1, keepdim=True) - probabilities.amax(-1, keepdim=True).log()


def _at(x: Tensor, positions: slice) -> Tensor:
    return x[positions] if x.dim() == 3 else x
