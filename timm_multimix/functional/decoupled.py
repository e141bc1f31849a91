"""Decoupled mixup: each of the mixed classes is also told apart from all classes that are not mixed."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from .criteria import Formula

# Shares of a label above what smoothing gives every class by more than this are of a mixed class.
_SHARE = 1e-3


class Decoupled(Formula):
    """Cross-entropy with the decoupled regularizer, for any mixer (DecoupleMix, arXiv:2203.10761).

    For a row whose label t mixes the classes S, two or more, the loss is

        - sum_i t_i log p_i - eta sum_{i in S} t_i^power log(p_i / (1 - sum_{j in S, j != i} p_j))

    with p the softmax of the logits: the second term is the confidence in a mixed class where the other mixed
    ones are left out, so that it does not fall with their share. Other rows have cross-entropy alone. This is
    the loss of the authors' code (OpenMixup), whose recipes have `both`, or one class only, and powers from 0
    to 1. It averages rows that mix no classes apart and adds that; here the loss is the mean over all rows.

    Args:
        eta: the weight of the regularizer.
        power: of the share in its weight.
        both: whether all mixed classes count, or the one with the largest share.
        smoothing: that of the labels it is given: a share of smoothing / c or less is of no mixed class.

    Example:
        >>> MixTask(model, "mixup(alpha=0.2)", criterion=Decoupled(eta=0.1))
    """

    name = "Decoupled"
    values = False

    def __init__(
        self, eta: float = 0.1, power: float = 0.0, both: bool = True, smoothing: float = 0.0
    ) -> None:
        self.eta, self.power, self.both, self.smoothing = eta, power, both, smoothing

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits and targets [..., c]."""
        entropy = -(targets * logits.log_softmax(-1)).sum(-1)
        mixed = targets > self.smoothing / targets.shape[-1] + _SHARE
        counted = mixed & (mixed.sum(-1, keepdim=True) > 1)
        if not self.both:
            largest = nnf.one_hot(targets.argmax(-1), targets.shape[-1]).bool()
            counted = counted & largest
        # Finite in the place of -inf: where all classes are mixed the term is 0, and so is its gradient.
        unmixed = logits.masked_fill(mixed, torch.finfo(logits.dtype).min / 4)
        # -log(p_i / (1 - sum p_j)) = log(1 + sum of e^z of the unmixed classes / e^z_i)
        terms = nnf.softplus(unmixed.logsumexp(-1, keepdim=True) - logits)
        weights = torch.where(counted, targets.clamp_min(0) ** self.power, 0.0)
        return (entropy + self.eta * (weights * terms).sum(-1)).mean()
