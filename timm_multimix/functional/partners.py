"""Partners: at random, in reverse order, or by closeness of the labels."""

from typing import Annotated, Any

import torch
from torch import Generator, Tensor

from .checks import Check
from .docstrings import documented

CLOSEST = "closest"


def _is_closest(value: Any) -> bool:
    """Return whether it is 'closest', alone or with a bandwidth."""
    if isinstance(value, tuple | list) and len(value) == 2:
        name, bandwidth = value
        number = isinstance(bandwidth, int | float) and not isinstance(bandwidth, bool)
        return bool(name == CLOSEST and number and 0 < bandwidth < float("inf"))
    return bool(isinstance(value, str) and value == CLOSEST)


def partner_choice(*names: str) -> Check:
    """Return the check for these words, closeness of the labels, and indices."""
    wanted = f"{', '.join(names)}, {CLOSEST}, ('{CLOSEST}', bandwidth > 0) or indices [b]"

    def passes(value: Any) -> bool:
        return isinstance(value, Tensor) or value in names or _is_closest(value)

    return Check(wanted, passes, lambda value: tuple(value) if isinstance(value, list) else value)


Partner = Annotated[str | tuple[str, float] | Tensor, partner_choice("random", "reversed")]
"""Type of the argument `partner`.

random: a random permutation. reversed: example b - 1 - i, as in timm.data.Mixup. closest: by closeness of the
labels, see `closest_partners`; only in specs, as functions have no labels: they take the indices [b] instead.
"""

PairPartner = Annotated[str | tuple[str, float] | Tensor, partner_choice("random", "reversed", "pair")]
"""`Partner`, and pair: `reversed`, with one draw for each pair of examples, timm.data.Mixup's mode='pair'."""


def find_partners(x: Tensor, partner: Any, generator: Generator | None) -> Tensor:
    """Return indices [b] of the partners of the examples of x [b, ...].

    Raises:
        ValueError: indices of another shape or dtype, or partners by labels, which are not available here.
    """
    if isinstance(partner, Tensor):
        if partner.shape != x.shape[:1] or partner.dtype not in (torch.int32, torch.int64):
            raise ValueError(
                f"partner must be indices [{len(x)}], got {partner.dtype} of shape {list(partner.shape)}"
            )
        return partner
    if _is_closest(partner):
        raise ValueError(
            f"partner must be indices [b] such as those of closest_partners(labels), got {partner!r}"
        )
    if partner == "random":
        return torch.randperm(len(x), generator=generator, device=x.device)
    return torch.arange(len(x) - 1, -1, -1, device=x.device)


def find_bandwidth(partner: Any) -> float | None:
    """Return the bandwidth if partners are chosen by closeness of the labels, else None."""
    if not _is_closest(partner):
        return None
    return float(partner[1]) if isinstance(partner, tuple | list) else 1.0


def count_draws(x: Tensor, per_sample: bool, partner: Any = "random") -> int:
    """Return how many lambdas and masks are drawn for x [b, ...]: one, one per example, or one per pair.

    Raises:
        ValueError: `per_sample` together with pairs, which already have a draw each.
    """
    check_pairs(per_sample, partner)
    if _is_pair(partner):
        return (len(x) + 1) // 2
    return len(x) if per_sample else 1


def of_pairs(drawn: Tensor, x: Tensor, partner: Any) -> Tensor:
    """Repeat values drawn for pairs [(b + 1) // 2, ...] for the examples [b, ...]; other draws are kept."""
    if not _is_pair(partner):
        return drawn
    place = torch.arange(len(x), device=x.device)
    return drawn[torch.minimum(place, place.flip(0))]


def check_pairs(per_sample: bool, partner: Any, **_: Any) -> None:
    """Check that draws are either per example or per pair.

    Raises:
        ValueError: both are given.
    """
    if per_sample and _is_pair(partner):
        raise ValueError("per_sample must be False with partner='pair', which draws for every pair, got True")


def _is_pair(partner: Any) -> bool:
    return isinstance(partner, str) and partner == "pair"


@documented
@torch.no_grad()
def closest_partners(labels: Tensor, bandwidth: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw partners by closeness of the labels (C-Mixup, arXiv:2210.05775, section 3).

    The partner of i is j with a probability proportional to exp(-|y_i - y_j|^2 / (2 bandwidth^2)); as in the
    paper, j may be i itself. The paper draws from the whole training set. This function draws from the batch,
    as the authors' code does for large sets.

    Args:
        labels: values [b] or targets [b, c]; integers [b] are classes, as far apart as their one-hot targets.
        bandwidth: standard deviation of the Gaussian kernel, in units of the labels.

    Returns:
        Indices [b], in which examples may occur more than once.

    Examples:
        >>> F.closest_partners(torch.tensor([0.0, 5.0, 9.0]), bandwidth=0.1)
        tensor([0, 1, 2])
    """
    squares = _squared_distances(labels)
    uniform = torch.empty_like(squares).uniform_(generator=generator)
    # The Gumbel-max trick samples from the logarithms of the kernel, which do not underflow if it is narrow.
    noise = -(-uniform.clamp_min(torch.finfo(squares.dtype).tiny).log()).log()
    return (noise - squares / (2 * bandwidth**2)).argmax(1)


def _squared_distances(labels: Tensor) -> Tensor:
    """Return |y_i - y_j|^2 [b, b], in float32 at least."""
    if labels.dim() == 1 and not labels.is_floating_point():
        return 2 * (labels.unsqueeze(1) != labels).float()
    points = labels.to(torch.promote_types(labels.dtype, torch.float32)).reshape(len(labels), -1)
    # By differences: with products, distances between values far from zero would be lost to rounding.
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square()
