"""MultiMix: n interpolations of many examples of the batch, of one vector each or at every position."""

from typing import Any

import torch
from torch import Generator, Tensor

from .checks import Concentration, ConcentrationRange, Count, Flag, Share
from .checks import share as check_share
from .docstrings import documented
from .draws import Draw, Tuples
from .mixing import mixing
from .rand import rand
from .sampling import anisotropic_weights, check_alpha, dirichlet_weights

# Attention below this counts as none. Next to real attention it vanishes in a float32 weight; if there is no
# other, the sum of the weights is still large enough to divide by.
_NO_ATTENTION = 1e-30


@mixing
def multimix(
    x: Tensor,
    n: Count = 1000,
    m: Count | None = None,
    alpha: ConcentrationRange = (0.5, 2.0),
    alpha_per_example: Flag = False,
    clean: Share = 0.0,
    target: Concentration | None = None,
    rest: Concentration = 0.1,
    generator: Generator | None = None,
) -> Draw:
    """MultiMix: n interpolations of m examples, lambda ~ Dirichlet(alpha) (arXiv:2311.05538, section 3.2).

    `target` and `rest` are PowMix's anisotropic mixing (arXiv:2312.12334).

    Args:
        alpha: concentration of Dirichlet(alpha), or (low, high) from which it is drawn evenly: less lets
            one example outweigh the others of its tuple.

    Examples:
        >>> embeddings = torch.rand(128, 512)
        >>> mixed, draw = F.multimix(embeddings, n=1000)
        >>> mixed.shape, draw.weights.shape
        (torch.Size([1000, 512]), torch.Size([1000, 128]))
    """
    factors = _factors(n, len(x), m, alpha, alpha_per_example, target, rest, x.device, generator)
    return Tuples(_with_single_examples(factors, clean))


def _factors(
    rows: int,
    b: int,
    m: int | None,
    alpha: float | tuple[float, float],
    alpha_per_example: bool,
    target: float | None,
    rest: float,
    device: torch.device,
    generator: Generator | None,
) -> Tensor:
    """Draw Dirichlet factors [rows, b]."""
    if target is not None:
        return anisotropic_weights(rows, b, target, rest, m, generator, device=device)
    concentration = _concentration(alpha, b if alpha_per_example else 1, device, generator)
    return dirichlet_weights(rows, b, concentration, m, generator, device=device)


def dense_multimix(x: Tensor, attention: Tensor, **options: Any) -> tuple[Tensor, Draw]:
    """Dense MultiMix: mix at each position by `dense_weights` (arXiv:2311.05538, section 3.3).

    Args:
        x: features [r, b, ...] of r positions.
        attention: attention of each example at each position, [r, b], such as `position_attention(x)`.
        **options: the other arguments of `dense_weights`.

    Returns:
        A tuple (mixed, draw): mixed [r, n, ...], and the draw.

    Examples:
        >>> x = torch.rand(49, 8, 16)
        >>> mixed, draw = F.dense_multimix(x, F.position_attention(x), n=100)
        >>> mixed.shape
        torch.Size([49, 100, 16])
    """
    draw = Tuples(dense_weights(attention, **options))
    return draw(x), draw


@documented
def dense_weights(
    attention: Tensor,
    n: Count = 1000,
    m: Count | None = None,
    alpha: ConcentrationRange = (0.5, 2.0),
    alpha_per_example: Flag = False,
    clean: Share = 0.0,
    shared: Flag = False,
    target: Concentration | None = None,
    rest: Concentration = 0.1,
    generator: Generator | None = None,
) -> Tensor:
    """Draw the weights of Dense MultiMix (arXiv:2311.05538, section 3.3).

    Each position's Dirichlet factors are multiplied by the examples' attention there and l1-normalised over
    the examples. Single examples (`clean`) stay single whatever their attention.

    Where none of a tuple's examples has attention, the factors stay as they are, as with equal attention: the
    limit of adding the same small number to all of them, which the attention before the classifier does. So
    every row sums to one. Rows of zeros would be no interpolation, and would weigh the loss by how much of
    the map is attended to. Attention of zero (below 1e-30) gets no gradient.

    Args:
        attention: attention of each example at each position, [r, b], at least 0.
        alpha: concentration of Dirichlet(alpha), or (low, high) from which it is drawn evenly.
        shared: whether all positions have the same factors, r times fewer draws; else each has its own, as in
            the paper's figure 2. Two studies in docs/results find no difference.

    Returns:
        Weights [r, n, b]; rows sum to one.

    Examples:
        >>> F.dense_weights(torch.rand(49, 8), n=100).shape
        torch.Size([49, 100, 8])
    """
    r, b = attention.shape
    rows = n if shared else r * n
    factors = _factors(rows, b, m, alpha, alpha_per_example, target, rest, attention.device, generator)
    factors = factors.view(-1, n, b).to(torch.promote_types(factors.dtype, attention.dtype))
    attention = attention.to(factors.dtype).clamp_min(_NO_ATTENTION)
    # In place where possible: fresh memory for so many weights costs more than the arithmetic on them.
    weights = factors * attention.unsqueeze(1) if shared else factors.mul_(attention.unsqueeze(1))
    return _with_single_examples(weights.div_(weights.sum(dim=-1, keepdim=True)), clean)


def _with_single_examples(weights: Tensor, share: float) -> Tensor:
    """Replace the first `share` of the tuples [..., n, b], rounded, by single examples in turn, in place."""
    check_share("clean", share)
    n, b = weights.shape[-2:]
    single = round(share * n)
    if single:
        example = torch.arange(single, device=weights.device) % b
        weights[..., :single, :] = torch.nn.functional.one_hot(example, b).to(weights.dtype)
    return weights


def _concentration(
    alpha: float | tuple[float, float], count: int, device: torch.device, generator: Generator | None
) -> float | Tensor:
    if not isinstance(alpha, tuple):
        return alpha
    low, high = (check_alpha(bound) for bound in alpha)
    uniform = rand(count, generator=generator, device=device)
    return uniform.mul_(high - low).add_(low)
