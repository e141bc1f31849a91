"""Beta and Dirichlet variates that are accurate for any concentration, drawn on the device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._compat.torch import standard_gamma
from . import ziggurat
from .docstrings import documented
from .gamma import by_rejection, by_torchs_sampler
from .rand import rand
from .uncompiled import uncompiled

# Used for alpha = 0: far below float32's resolution of a difference of logs, far above its underflow.
_SMALLEST_ALPHA = 1e-20
# Below this number of variates torch's sampler is faster than `by_rejection`.
_FEW_VARIATES = 512
# From this number of variates of one concentration on, layers are worth computing.
_MANY_VARIATES = 16384
# Tensors that `by_rejection` computes in.
_BUFFERS = 4
# Rows drawn at a time on a CPU: enough that the overhead of calls is small, few enough for the cache.
_ROWS = 2048
# Up to this many examples are chosen one after the other (Floyd), more by the largest of random keys.
_FEW = 16


@documented
def log_gamma_variates(
    alpha: Tensor, shape: Sequence[int] | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Draw logarithms of Gamma(alpha, 1) variates.

    G(a) = G(a + 1) U^(1/a) (Marsaglia and Tsang 2000, section 6), computed in log space: for small alpha the
    variates themselves underflow, and ratios of them become 0/0. Many of one concentration are drawn by
    layers on a CPU (`ziggurat`).

    Args:
        alpha: concentrations, at least 0; 0 stands for the limit.
        shape: shape of the result, to which alpha broadcasts; None: alpha's own.

    Examples:
        >>> F.log_gamma_variates(torch.tensor([0.5]), (2, 3)).shape
        torch.Size([2, 3])
    """
    alpha = alpha.clamp_min(_SMALLEST_ALPHA)
    shape = alpha.shape if shape is None else shape
    if alpha.device.type != "cpu":
        return by_torchs_sampler(alpha.expand(shape), generator)
    return _log_gamma(alpha, [alpha.new_empty(shape) for _ in range(_BUFFERS)], generator)


@uncompiled  # how many are drawn anew is data
def _log_gamma(alpha: Tensor, buffers: Sequence[Tensor], generator: torch.Generator | None) -> Tensor:
    """Draw as many as a buffer has elements, on a CPU."""
    if buffers[0].numel() < _FEW_VARIATES:
        return by_torchs_sampler(alpha.expand(buffers[0].shape), generator)
    if buffers[0].numel() >= _MANY_VARIATES and ziggurat.fits(alpha):
        return ziggurat.log_gamma(float(alpha), buffers[0], generator)
    return by_rejection(alpha, buffers, generator)


@documented
def beta_variates(
    count: int, alpha: float, *, generator: torch.Generator | None = None, device: torch.device | None = None
) -> Tensor:
    """Draw from Beta(alpha, alpha).

    Args:
        count: number of draws.
        alpha: concentration, at least 0; 0 stands for the limit, 0 or 1 with equal probability.
        device: device of the result.

    Returns:
        float32 [count].

    Raises:
        ValueError: alpha is negative or not finite.

    Examples:
        >>> F.beta_variates(3, alpha=0.2).shape
        torch.Size([3])
    """
    alpha = max(check_alpha(alpha), _SMALLEST_ALPHA)
    if alpha == 1:  # uniform, and the default of many mixers
        return rand(count, generator=generator, device=device)
    # The formula of log_gamma_variates in fewer calls; for a single draw the calls are the cost.
    log_gamma = standard_gamma(
        torch.full((count, 2), alpha + 1, device=device, dtype=torch.float32), generator
    ).log_()
    uniform = torch.empty_like(log_gamma).uniform_(generator=generator)
    return log_gamma.add_(uniform.neg_().log1p_().div_(alpha)).softmax(dim=-1)[:, 0]


@documented
def dirichlet_weights(
    n: int,
    b: int,
    alpha: float | Tensor,
    m: int | None = None,
    generator: torch.Generator | None = None,
    *,
    device: torch.device | None = None,
) -> Tensor:
    """Draw rows of Dirichlet(alpha) weights over m of b examples.

    Args:
        n: number of rows.
        b: number of examples.
        alpha: one concentration for all examples, or a tensor [b] with one for each.
        m: examples in a row, chosen uniformly without repetition; the others have weight zero. None, or more
            than b: all.
        device: device of the result; None: that of alpha, else of the generator.

    Returns:
        Weights [n, b], float32; rows sum to one.

    Raises:
        ValueError: n, b or m is below one; alpha is negative or not finite (a tensor's is checked on a CPU).

    Examples:
        >>> weights = F.dirichlet_weights(n=1000, b=128, alpha=1.0, m=4)
        >>> weights.shape, int((weights[0] > 0).sum())
        (torch.Size([1000, 128]), 4)
    """
    _check_counts(n, b, m)
    if device is None:
        device = _device_of(alpha, generator)
    if not isinstance(alpha, Tensor):
        alpha = torch.full((1,), check_alpha(alpha), device=device, dtype=torch.float32)
    elif alpha.device.type == "cpu" and not torch.compiler.is_compiling():  # elsewhere it would wait
        for bound in alpha.aminmax():
            check_alpha(float(bound))
    if m is None or m >= b:
        return _dirichlet(alpha, n, b, generator)
    chosen = _subsets(n, b, m, device, generator)
    weights = _dirichlet(alpha if alpha.numel() == 1 else alpha[chosen], n, m, generator)
    return weights.new_zeros(n, b).scatter_(1, chosen, weights)


@documented
def anisotropic_weights(
    n: int,
    b: int,
    target: float,
    rest: float,
    m: int | None = None,
    generator: torch.Generator | None = None,
    *,
    device: torch.device | None = None,
) -> Tensor:
    """Draw rows of Dirichlet weights in which one example leads (PowMix, arXiv:2312.12334).

    Row k has the concentration `target` for example k mod b and `rest` for the others.

    Args:
        n: number of rows.
        b: number of examples.
        target: concentration of the leading example.
        rest: concentration of the others.
        m: examples in a row, the leading one and m - 1 chosen uniformly without repetition; None: all.
        device: device of the result; None: that of the generator.

    Returns:
        Weights [n, b], float32; rows sum to one.

    Raises:
        ValueError: n, b or m is below one; a concentration is negative or not finite.

    Examples:
        >>> F.anisotropic_weights(n=4, b=2, target=1e6, rest=1e-6).round()
        tensor([[1., 0.],
                [0., 1.],
                [1., 0.],
                [0., 1.]])
    """
    _check_counts(n, b, m)
    device = _device_of(rest, generator) if device is None else device
    m = b if m is None else min(m, b)
    leading = torch.arange(n, device=device).remainder(b).unsqueeze(1)
    others = _subsets(n, b - 1, m - 1, device, generator) if m < b else _all_but_last(n, b, device)
    chosen = torch.cat([leading, others + (others >= leading)], dim=1)
    alpha = torch.full((n, m), check_alpha(rest), device=device, dtype=torch.float32)
    alpha[:, 0] = check_alpha(target)
    return alpha.new_zeros(n, b).scatter_(1, chosen, _dirichlet(alpha, n, m, generator))


def _all_but_last(n: int, b: int, device: torch.device) -> Tensor:
    return torch.arange(b - 1, device=device).expand(n, -1)


def _check_counts(n: int, b: int, m: int | None) -> None:
    for name, value in (("n", n), ("b", b), ("m", b if m is None else m)):
        if value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value}")


def check_alpha(alpha: float) -> float:
    """Return `alpha` if it can be a concentration: finite and not negative."""
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be a finite number of at least 0, got {alpha}")
    return float(alpha)


def _dirichlet(alpha: Tensor, rows: int, columns: int, generator: torch.Generator | None) -> Tensor:
    """Draw Dirichlet weights [rows, columns] for alpha [1], [columns] or [rows, columns]."""
    if alpha.device.type != "cpu":
        return log_gamma_variates(alpha, (rows, columns), generator).softmax(dim=-1)
    alpha = alpha.clamp_min(_SMALLEST_ALPHA)
    weights = alpha.new_empty(rows, columns)
    buffers = alpha.new_empty(_BUFFERS, min(rows, _ROWS), columns)
    for start in range(0, rows, _ROWS):
        chunk = weights[start : start + _ROWS]
        mine = alpha[start : start + _ROWS] if alpha.dim() == 2 else alpha
        torch.softmax(_log_gamma(mine, buffers[:, : len(chunk)].unbind(), generator), dim=-1, out=chunk)
    return weights


def _subsets(n: int, b: int, m: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Draw n uniformly random subsets of m of b, as indices [n, m].

    Small ones by Floyd's method: for j = b - m .. b - 1 take a random index up to j, or j if it is taken.
    """
    if m > _FEW:
        return rand(n, b, generator=generator, device=device).topk(m, dim=1).indices
    chosen = torch.full((n, m), -1, device=device)
    for column, last in enumerate(range(b - m, b)):
        # torch.randint, which takes no sizes that torch.compile knows by symbols only if it has a generator
        index = torch.empty(n, 1, dtype=torch.int64, device=device).random_(0, last + 1, generator=generator)
        taken = (chosen == index).any(dim=1, keepdim=True)
        chosen[:, column : column + 1] = torch.where(taken, last, index)
    return chosen


def _device_of(alpha: float | Tensor, generator: torch.Generator | None) -> torch.device:
    if isinstance(alpha, Tensor):
        return alpha.device
    return generator.device if generator is not None else torch.get_default_device()
