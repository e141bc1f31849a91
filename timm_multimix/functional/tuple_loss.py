"""The loss of n mixed examples from the logits of b clean ones, without the n mixed embeddings or targets.

A linear classifier commutes with interpolation: (W Z) A^T + beta = W (Z A^T + beta) for weights whose rows
sum to one, so mixing embeddings before the classifier is mixing logits after it. With logits L [b, c],
targets T [b, c], weights W [n, b], S = W^T W / n and s = W (T 1):

    softmax   mean_k s_k lse((W L)_k) - <S, L T^T>              dL = W^T (s softmax(W L)) / n - S T
    sigmoid   (mean_k sum_c softplus((W L)_k) - <S, L T^T>) / c
    mse       <S, (L - T) (L - T)^T> / c                        dL = 2 S (L - T) / c

Values and gradients are made in one pass over chunks of tuples, so memory does not grow with n.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

KINDS = ("softmax", "sigmoid", "mse")

# Elements of one block of mixed logits: about a core's cache on a CPU, enough to fill the device elsewhere.
_BLOCK_ELEMENTS = {"cpu": 1 << 18}
_DEVICE_BLOCK_ELEMENTS = 1 << 25
_SMALLEST_CHUNK = 128


def multimix_loss(
    logits: Tensor, target: Tensor, weights: Tensor | Iterable[Tensor], *, kind: str = "softmax"
) -> Tensor:
    """Mean loss of the mixed logits W L against the mixed targets W T, over tuples and leading positions.

    logits [..., b, c]; target [b] (class indices; with c = 1, under sigmoid and mse, one value each) or
    [..., b, c], taken as constants; weights [n, b] or [..., n, b], or an iterable of such chunks of tuples
    (then without gradient).
    Computed in float32 (float64 if the logits are), outside autocast; sigmoid and mse average over classes.
    Source: arXiv:2311.05538, equations 7 to 10, in the exact form above.

    Raises:
        ValueError: an unknown kind, shapes that do not fit, or no tuples at all.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} given, allowed are {', '.join(KINDS)}")
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    with torch.autocast(logits.device.type, enabled=False):
        flat = logits.reshape(-1, *logits.shape[-2:]).to(dtype)
        targets = _targets_like(flat, target.detach(), kind)
        if not isinstance(weights, Tensor):
            return _streamed_loss(flat, targets, weights, kind)
        tuples = _tuples_like(flat, weights).to(dtype)
        # An operator compiles in one piece; without compilation its dispatch would be a part of small losses.
        compute = _tuple_loss if torch.compiler.is_compiling() else _sum_over_tuples
        with torch.no_grad():
            parts = compute(flat.detach(), targets, tuples.detach(), kind, tuples.requires_grad)
        return _GivenGradients.apply(flat, tuples, *parts)


def _targets_like(logits: Tensor, target: Tensor, kind: str) -> Tensor:
    """Targets as [b, c] or [r, b, c] in the logits' dtype."""
    r, b, c = logits.shape
    if target.dim() == 1 and len(target) == b:
        if c == 1 and kind != "softmax":
            return target.to(logits.dtype).unsqueeze(1)
        if kind != "mse" and not target.is_floating_point():
            return logits.new_zeros(b, c).scatter_(1, target.long().unsqueeze(1), 1.0)
    if target.shape == (b, c):
        return target.to(logits.dtype)
    if target.dim() > 2 and target.shape[-2:] == (b, c) and target.numel() == logits.numel():
        return target.reshape(r, b, c).to(logits.dtype)
    given = f"target {list(target.shape)} of {target.dtype}"
    raise ValueError(f"{given} does not fit logits [{r}, {b}, {c}] with kind={kind!r}")


def _tuples_like(logits: Tensor, weights: Tensor) -> Tensor:
    """Weights as [1, n, b] (the same at all positions) or [r, n, b]."""
    r, b, _ = logits.shape
    if weights.dim() >= 2 and weights.shape[-1] == b and weights.shape[-2] > 0:
        tuples = weights.reshape(-1, *weights.shape[-2:])
        if len(tuples) in (1, r):
            return tuples
    raise ValueError(f"weights {list(weights.shape)} do not fit logits [{r}, {b}, {logits.shape[2]}]")


def _sum_over_tuples(
    logits: Tensor, targets: Tensor, weights: Tensor, kind: str, weights_gradient: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, its gradient with respect to logits [r, b, c], and to weights (empty if not asked for)."""
    sums = _Sums(logits, targets, kind)
    gradients = []
    for chunk in weights.split(sums.rows, dim=1):
        gradient = sums.add(chunk, weights_gradient)
        if weights_gradient:
            gradients.append(gradient.sum(0, keepdim=True) if len(weights) == 1 else gradient)
    loss, scale = sums.finish()
    by_weights = torch.cat(gradients, dim=1).mul_(scale) if gradients else logits.new_empty(0)
    return loss, sums.gradient, by_weights


_tuple_loss = torch.library.custom_op("timm_multimix::tuple_loss", _sum_over_tuples, mutates_args=())


@_tuple_loss.register_fake
def _(logits, targets, weights, kind, weights_gradient):  # type: ignore[no-untyped-def]
    by_weights = torch.empty_like(weights) if weights_gradient else logits.new_empty(0)
    return logits.new_empty(()), torch.empty_like(logits), by_weights


def _streamed_loss(logits: Tensor, targets: Tensor, chunks: Iterable[Tensor], kind: str) -> Tensor:
    with torch.no_grad():
        sums = _Sums(logits.detach(), targets, kind)
        for chunk in chunks:
            sums.add(_tuples_like(logits, chunk).to(logits.dtype), weights_gradient=False)
        loss, _ = sums.finish()
    return _GivenGradients.apply(logits, None, loss, sums.gradient, None)


class _Sums:
    """What is summed over tuples: the gradient by the logits L, and the entropies that make it the loss.

    With P = softmax(W L) the loss is  sum_k s_k H(P_k) + <L, G>,  H the entropy and G the gradient summed
    over tuples, W^T (s P - W T); under sigmoid likewise, with P = sigmoid(W L) and binary entropies.
    """

    def __init__(self, logits: Tensor, targets: Tensor, kind: str) -> None:
        self.kind, self.targets, self.tuples = kind, targets, 0
        # The softmax loss does not change when a constant is added to all logits of one example.
        self.logits = logits - logits.amax(-1, keepdim=True) if kind == "softmax" else logits
        self.gradient = torch.zeros_like(logits)
        self.entropy = logits.new_zeros(())
        self.mass = targets.sum(-1, keepdim=True)
        _, b, c = logits.shape
        # W^T W T takes n b c more with the targets mixed chunk by chunk, n b b with S = W^T W summed first.
        self.mix_targets = c < b and kind != "mse"
        self.second_moment = logits.new_zeros(())
        self.budget = _BLOCK_ELEMENTS.get(logits.device.type, _DEVICE_BLOCK_ELEMENTS)
        self.rows = max(_SMALLEST_CHUNK, self.budget // c)
        # Blocks share their memory: fresh pages for each would cost as much as the arithmetic on them.
        self.workspace = logits.new_empty(0)

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
        weights = weights.expand(len(logits), -1, -1) if len(weights) == 1 else weights[positions]
        mixed, residual = self._buffers(len(logits), weights.shape[1])
        torch.bmm(weights, logits, out=mixed)
        if self.kind == "softmax":
            torch.softmax(mixed, -1, out=residual)
            mass = weights @ _at(self.mass, positions)
            self.entropy += (mass * _log_partition(mixed, residual)).sum()
            residual.mul_(mass)
        else:
            torch.sigmoid(mixed, out=residual)
            self.entropy += torch.nn.functional.softplus(mixed).sum()
        self.entropy -= mixed.flatten().dot(residual.flatten())
        if self.mix_targets:
            targets = _at(self.targets, positions).expand(len(logits), -1, -1)
            residual.baddbmm_(weights, targets, alpha=-1)
        self.gradient[positions].baddbmm_(weights.mT, residual)

    def _buffers(self, positions: int, rows: int) -> tuple[Tensor, Tensor]:
        """Two tensors [positions, rows, c] for mixed logits and their residual."""
        shape = (2, positions, rows, self.logits.shape[2])
        if self.workspace.numel() < math.prod(shape):
            self.workspace = self.logits.new_empty(math.prod(shape))
        mixed, residual = self.workspace[: math.prod(shape)].view(shape)
        return mixed, residual

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

    def finish(self) -> tuple[Tensor, float]:
        """The mean loss; scales the gradient in place. The scale is one over all that is averaged."""
        if self.tuples == 0:
            raise ValueError("no tuples given: the iterable of weights is empty")
        r, _, c = self.logits.shape
        scale = 1 / (r * self.tuples * (1 if self.kind == "softmax" else c))
        if self.kind == "mse":
            difference = self.logits - self.targets
            self.gradient += self.second_moment @ difference
            value = (difference * self.gradient).sum()
            self.gradient *= 2 * scale
            return value * scale, scale
        if not self.mix_targets:
            self.gradient -= self.second_moment @ self.targets
        value = self.entropy + (self.logits * self.gradient).sum()
        self.gradient *= scale
        return value * scale, scale


def _log_partition(logits: Tensor, probabilities: Tensor) -> Tensor:
    """log-sum-exp over the last dimension from the softmax, without another exponential."""
    return logits.amax(-1, keepdim=True) - probabilities.amax(-1, keepdim=True).log()


def _at(x: Tensor, positions: slice) -> Tensor:
    return x[positions] if x.dim() == 3 else x


class _GivenGradients(torch.autograd.Function):
    """A loss whose gradients by logits and weights are known already."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, weights: Tensor | None, loss: Tensor, *gradients: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(*gradients)
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_logits, by_weights = ctx.saved_tensors
        asked_for = by_weights is not None and ctx.needs_input_grad[1]
        return grad * by_logits, grad * by_weights if asked_for else None, None, None, None
