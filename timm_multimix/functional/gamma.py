"""Logarithms of Gamma variates of any concentrations."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from .._compat.torch import standard_gamma


def by_torchs_sampler(alpha: Tensor, generator: Generator | None) -> Tensor:
    """Draw logarithms of Gamma(alpha, 1) variates one by one, on any device."""
    log_gamma = standard_gamma(alpha + 1, generator=generator).log_()
    uniform = torch.empty_like(log_gamma).uniform_(generator=generator)
    return log_gamma.add_(uniform.neg_().log1p_().div_(alpha))


def by_rejection(alpha: Tensor, buffers: Sequence[Tensor], generator: Generator | None) -> Tensor:
    """Draw the same with operations on all elements at once; torch's sampler handles them one by one.

    G(a + 1) is proposed by Marsaglia and Tsang's squeeze-free test, d v with d = a + 2/3 and
    v = (1 + x / sqrt(9 d))^3, and accepted if log U < bound. Then log U - bound is the logarithm of a uniform
    variate that is independent of x, so it serves as that of U^(1/a): random numbers take half of the time.
    Rejected elements, a few per cent, are drawn by torch. All is computed in the memory of `buffers`, one of
    which is the result: fresh pages for every intermediate would cost more than the arithmetic.
    """
    x, root, log_v, v = buffers
    d = alpha + 2 / 3
    torch.mul(x.normal_(generator=generator), (9 * d).rsqrt(), out=root).add_(1).clamp_min_(1e-30)
    torch.log(root, out=log_v).mul_(3)
    torch.mul(root, root, out=v).mul_(root)
    bound = torch.sub(log_v, v, out=root).add_(1).mul_(d).add_(x.mul_(x), alpha=0.5)
    log_uniform = v.uniform_(generator=generator).neg_().log1p_().sub_(bound)
    rejected = (log_uniform >= 0).view(-1).nonzero().squeeze(1)
    log_gamma = log_v.add_(d.log()).addcdiv_(log_uniform, alpha)
    one = alpha.numel() == 1
    theirs = alpha.reshape(1).expand(len(rejected)) if one else alpha.expand_as(x).reshape(-1)[rejected]
    log_gamma.view(-1).index_copy_(0, rejected, by_torchs_sampler(theirs, generator))
    return log_gamma
