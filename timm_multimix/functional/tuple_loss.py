"""The loss of n mixed examples from the logits of b clean ones, without the n mixed embeddings or targets.

A linear classifier commutes with interpolation: (W Z) A^T + beta = W (Z A^T + beta) for weights whose rows
sum to one, so mixing embeddings before the classifier is mixing logits after it. With logits L [b, c],
targets T [b, c], weights W [n, b], S = W^T W / n and s = W (T 1):

    softmax   mean_k s_k lse((W L)_k) - <S, L T^T>              dL = W^T (s softmax(W L)) / n - S T
    sigmoid   (mean_k sum_c softplus((W L)_k) - <S, L T^T>) / c
    mse       <S, (L - T) (L - T)^T> / c                        dL = 2 S (L - T) / c

Values and gradients are computed in one pass over chunks of tuples, so memory does not grow with n.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .._compat.torch import in_transform
from ..errors import UsageError
from .criteria import CRITERIA, Criterion, find_criterion
from .precision import without_autocast
from .tuple_sums import TupleSums


def multimix_loss(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | Iterable[Tensor],
    *,
    kind: str = "softmax",
    bias: Tensor | None = None,
) -> Tensor:
    """Return the mean loss of the mixed logits W L against the mixed targets W T, over tuples and positions.

    Computed in float32 (float64 if the logits are), outside autocast; sigmoid and mse average over classes.
    Inside a transform of `torch.func`, and for targets that require a gradient, all mixed logits are
    computed: then derivatives have any order.
    Source: arXiv:2311.05538, equations 7 to 10, in the exact form at the top of this module.

    Rows of the weights should sum to one. This is not checked, as it would cost a pass over them and a wait
    for the device. Where they do not, the loss is still that of W L and W T: the bias of the classifier is
    multiplied by the row's sum, and the targets' mass is that sum. With `bias`, the mixed logits are W L + (1
    - W 1) bias^T, those of the mixed embeddings for any weights; gradient flows to the bias, too.

    Args:
        logits: L, of the clean examples, [..., b, c].
        target: T, [..., b, c], or class indices [b] (with c = 1, under sigmoid and mse, one value each);
            gradient flows to targets [..., b, c] that require it.
        weights: W, [n, b] or [..., n, b], or an iterable of such chunks of tuples (then without gradient).
        kind: softmax, sigmoid or mse.
        bias: bias of the classifier, [c].

    Raises:
        ValueError: an unknown kind, shapes that do not fit, or no tuples at all.
        RuntimeError: in the backward pass, if a second derivative is asked for; there is none.

    Examples:
        >>> weights = F.dirichlet_weights(n=1000, b=4, alpha=1.0)
        >>> F.multimix_loss(torch.zeros(4, 10), torch.tensor([0, 1, 2, 3]), weights)
        tensor(2.3026)
    """
    criterion = _summed(kind)
    if logits.dim() < 2 or logits.numel() == 0:
        raise ValueError(
            f"logits must be [..., b, c] with at least one of each, got shape {list(logits.shape)}"
        )
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    with without_autocast(logits.device):
        flat = (logits if logits.dim() == 3 else logits.reshape(-1, *logits.shape[-2:])).to(dtype)
        targets = _targets_like(flat, target, criterion)
        fit: Callable[[Tensor], Tensor] = partial(_tuples_like, flat)
        if bias is not None:
            flat, targets, fit = *_with_bias(flat, targets, bias.to(dtype)), _completed(fit)
        if in_transform() or targets.requires_grad:
            return _literal_loss(flat, targets, fit, weights, criterion)
        if not isinstance(weights, Tensor):
            return _streamed_loss(flat, targets, map(fit, weights), kind)
        tuples = fit(weights)
        # Under torch.compile the loss is one custom operator; in eager mode the operator's dispatch would be
        # a noticeable part of small losses.
        compute = _tuple_loss if torch.compiler.is_compiling() else _sum_over_tuples
        # Value and gradients come from one pass without graph: autograd would keep all n mixed rows.
        with torch.no_grad():
            parts = compute(flat, targets, tuples, kind, tuples.requires_grad)
        return _GivenGradients.apply(flat, tuples, *parts)


def _summed(kind: str) -> Criterion:
    """Return the criterion of that name, which must have sums over tuples."""
    summed = [name for name, criterion in CRITERIA.items() if criterion.sums is not None]
    if kind not in summed:
        raise UsageError(f"kind must be one of {', '.join(summed)}, got {kind!r}")
    return find_criterion(kind)


def _create_sums(logits: Tensor, targets: Tensor, kind: str) -> TupleSums:
    sums = CRITERIA[kind].sums
    assert sums is not None
    return sums(logits, targets)


def _targets_like(logits: Tensor, target: Tensor, criterion: Criterion) -> Tensor:
    """Return targets as [b, c] or [r, b, c] in the logits' dtype, or class indices [b]."""
    r, b, c = logits.shape
    if target.dim() == 1 and len(target) == b:
        if c == 1 and criterion.values:
            return target.to(logits.dtype).unsqueeze(1)
        if criterion.indices and not target.is_floating_point():
            return target.long()
    if target.shape == (b, c):
        return target.to(logits.dtype)
    if target.dim() > 2 and target.shape[-2:] == (b, c) and target.numel() == logits.numel():
        return target.reshape(r, b, c).to(logits.dtype)
    given = f"{list(target.shape)} of {target.dtype}"
    raise ValueError(f"target must fit logits [{r}, {b}, {c}] with kind={criterion.name!r}, got {given}")


def _tuples_like(logits: Tensor, weights: Tensor) -> Tensor:
    """Return weights as [1, n, b] (the same at all positions) or [r, n, b], in the logits' dtype."""
    r, b, _ = logits.shape
    if weights.dim() >= 2 and weights.shape[-1] == b and weights.shape[-2] > 0:
        tuples = weights.reshape(-1, *weights.shape[-2:])
        if len(tuples) in (1, r):
            return tuples.to(logits.dtype)
    raise ValueError(f"weights must fit logits [{r}, {b}, {logits.shape[2]}], got {list(weights.shape)}")


def _with_bias(logits: Tensor, targets: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Add an unlabelled example at every position: an embedding of zero, whose logits are the bias."""
    r, _, c = logits.shape
    if bias.shape != (c,):
        raise ValueError(f"bias must be [{c}], one number for each class, got {list(bias.shape)}")
    if targets.dim() == 1:
        targets = torch.nn.functional.one_hot(targets, c).to(logits.dtype)
    empty = targets.new_zeros(*targets.shape[:-2], 1, c)
    return torch.cat([logits, bias.expand(r, 1, c)], dim=1), torch.cat([targets, empty], dim=-2)


def _completed(fit: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Make rows of weights sum to one, by a last column for the embedding of zero."""

    def completed(weights: Tensor) -> Tensor:
        tuples = fit(weights)
        return torch.cat([tuples, 1 - tuples.sum(-1, keepdim=True)], dim=-1)

    return completed


def _literal_loss(
    logits: Tensor,
    targets: Tensor,
    fit: Callable[[Tensor], Tensor],
    weights: Tensor | Iterable[Tensor],
    criterion: Criterion,
) -> Tensor:
    """Return the loss by the logits and targets of all tuples, which torch.func can transform."""
    chunks = [weights] if isinstance(weights, Tensor) else weights
    tuples = torch.cat([fit(chunk) for chunk in chunks], dim=-2)
    if targets.dim() == 1:
        targets = torch.nn.functional.one_hot(targets, logits.shape[-1]).to(logits.dtype)
    return criterion.loss(tuples @ logits, tuples @ targets)


def _sum_over_tuples(
    logits: Tensor, targets: Tensor, weights: Tensor, kind: str, weights_gradient: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss and its gradients by logits [r, b, c] and by weights (empty if not asked for)."""
    sums = _create_sums(logits, targets, kind)
    gradients = []
    for start in range(0, weights.shape[1], sums.rows):
        gradient = sums.add(weights[:, start : start + sums.rows], weights_gradient)
        if weights_gradient:
            gradients.append(gradient.sum(0, keepdim=True) if weights.shape[0] == 1 else gradient)
    loss, by_logits, scale = sums.finish()
    by_weights = torch.cat(gradients, dim=1).mul_(scale) if gradients else logits.new_empty(0)
    return loss, by_logits, by_weights


_tuple_loss = torch.library.custom_op("timm_multimix::tuple_loss", _sum_over_tuples, mutates_args=())


@_tuple_loss.register_fake
def _(logits, targets, weights, kind, weights_gradient):  # type: ignore[no-untyped-def]
    by_weights = weights.new_empty(weights.shape if weights_gradient else 0)
    return logits.new_empty(()), logits.new_empty(logits.shape), by_weights


def _streamed_loss(logits: Tensor, targets: Tensor, chunks: Iterable[Tensor], kind: str) -> Tensor:
    with torch.no_grad():
        sums = _create_sums(logits, targets, kind)
        for chunk in chunks:
            sums.add(chunk, weights_gradient=False)
        loss, by_logits, _ = sums.finish()
    return _GivenGradients.apply(logits, None, loss, by_logits, None)


class _GivenGradients(torch.autograd.Function):
    """A loss whose gradients by logits and weights are already computed."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, weights: Tensor | None, loss: Tensor, *gradients: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(*gradients)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # The saved gradients have no graph to logits and weights: a second derivative would be wrong.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError("multimix_loss has no second derivative, got create_graph=True")
        by_logits, by_weights = ctx.saved_tensors
        asked_for = by_weights is not None and ctx.needs_input_grad[1]
        return grad * by_logits, grad * by_weights if asked_for else None, None, None, None
