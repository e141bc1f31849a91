"""Decoupled mixup: a loss that also separates each mixed class from all classes that are not mixed."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from .criteria import Formula

# A class counts as mixed if its share exceeds what smoothing gives every class by more than this.
_SHARE = 1e-3


class Decoupled(Formula):
    """Cross-entropy with the decoupled regularizer, for any mixer (DecoupleMix, arXiv:2203.10761).

    For a row whose label t mixes the classes S, two or more, the loss is

        - sum_i t_i log p_i
        - eta sum_{i in S} t_i^power log(p_i / (1 - sum_{j in S, j != i} p_j))

    with p the softmax of the logits: the second term is the confidence in a mixed class when the other mixed
    classes are left out, so that it does not fall with their share. Other rows have cross-entropy alone. This
    is the loss of the authors' code (OpenMixup), whose recipes have `both`, or one class only, and powers
    from 0 to 1. Their code averages rows that mix no classes separately and adds that; here the loss is the
    mean over all rows.

    Args:
        eta: weight of the regularizer.
        power: exponent of the share in the regularizer's weight.
        both: whether all mixed classes count, or only the one with the largest share.
        smoothing: label smoothing of the targets: a share of smoothing / c or less is not of a mixed class.

    Examples:
        >>> criterion = F.Decoupled(eta=0.1)
        >>> criterion.loss(torch.zeros(1, 3), torch.tensor([[0.5, 0.5, 0.0]]))
        tensor(1.2372)
        >>> task = MixTask(timm.create_model("test_resnet"), "mixup(alpha=0.2)", criterion=criterion)
    """

    name = "Decoupled"
    values = False

    def __init__(
        self, eta: float = 0.1, power: float = 0.0, both: bool = True, smoothing: float = 0.0
    ) -> None:
        self.eta, self.power, self.both, self.smoothing = eta, power, both, smoothing

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits and targets [..., c]."""
        entropy = -(targets * logits.log_softmax(-1)).sum(-1)
        mixed = targets > self.smoothing / targets.shape[-1] + _SHARE
        counted = mixed & (mixed.sum(-1, keepdim=True) > 1)
        if not self.both:
            largest = nnf.one_hot(targets.argmax(-1), targets.shape[-1]).bool()
            counted = counted & largest
        # A finite number instead of -inf: if all classes are mixed the term and its gradient are 0, not NaN.
        unmixed = logits.masked_fill(mixed, torch.finfo(logits.dtype).min / 4)
        # -log(p_i / (1 - sum p_j)) = log(1 + sum of e^z of the unmixed classes / e^z_i)
        terms = nnf.softplus(unmixed.logsumexp(-1, keepdim=True) - logits)
        weights = torch.where(counted, targets.clamp_min(0) ** self.power, 0.0)
        return (entropy + self.eta * (weights * terms).sum(-1)).mean()
