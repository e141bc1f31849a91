"""Beta and Dirichlet variates that are right for any concentration, drawn on the device."""

import torch
from torch import Tensor

# Stands for alpha = 0: far below float32's resolution of a difference of logs, far above its underflow.
_SMALLEST_ALPHA = 1e-20


def log_gamma_variates(alpha: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Logarithms of Gamma(alpha, 1) variates, one per entry of `alpha`; alpha = 0 is taken as its limit.

    G(a) = G(a + 1) U^(1/a) (Marsaglia and Tsang 2000, section 6), kept in log space: for small alpha the
    variates themselves underflow, and ratios of them become 0/0.
    """
    alpha = alpha.clamp_min(_SMALLEST_ALPHA)
    exponential = torch.empty_like(alpha).exponential_(generator=generator)
    return torch._standard_gamma(alpha + 1, generator=generator).log_() - exponential / alpha


def beta_variates(
    count: int, alpha: float, *, generator: torch.Generator | None = None, device: torch.device | None = None
) -> Tensor:
    """`count` draws of Beta(alpha, alpha), float32 [count].

    Raises:
        ValueError: alpha is negative or not finite.
    """
    return _dirichlet(torch.full((count, 2), check_alpha(alpha), device=device), generator)[:, 0]


def dirichlet_weights(
    n: int,
    b: int,
    alpha: float | Tensor,
    m: int | None = None,
    generator: torch.Generator | None = None,
    *,
    device: torch.device | None = None,
) -> Tensor:
    """n rows of Dirichlet(alpha) weights over m of b examples, float32 [n, b], rows summing to one.

    alpha is one concentration for all examples or a tensor [b] with one for each. With m (None: all), each
    row has its own m examples, chosen uniformly without repetition, and is zero elsewhere; m beyond b is b.

    Raises:
        ValueError: n, b or m is below one; alpha is negative or not finite.
    """
    for name, value in (("n", n), ("b", b), ("m", b if m is None else m)):
        if value < 1:
            raise ValueError(f"{name}={value} given, at least 1 is needed")
    if device is None:
        device = _device_of(alpha, generator)
    if not isinstance(alpha, Tensor):
        alpha = torch.full((), check_alpha(alpha), device=device)
    if m is None or m >= b:
        return _dirichlet(alpha.expand(n, b), generator)
    chosen = torch.rand(n, b, generator=generator, device=device).topk(m, dim=1).indices
    weights = _dirichlet(alpha.expand(b)[chosen], generator)
    return weights.new_zeros(n, b).scatter_(1, chosen, weights)


def check_alpha(alpha: float) -> float:
    """`alpha` itself, if it can be a concentration: finite and not negative."""
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha={alpha} given, a finite number of at least 0 is needed")
    return float(alpha)


def _dirichlet(alpha: Tensor, generator: torch.Generator | None) -> Tensor:
    return log_gamma_variates(alpha, generator).softmax(dim=-1)


def _device_of(alpha: float | Tensor, generator: torch.Generator | None) -> torch.device:
    if isinstance(alpha, Tensor):
        return alpha.device
    return generator.device if generator is not None else torch.get_default_device()
