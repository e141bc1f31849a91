"""The decorator `mixing`, and the mixers with a lambda and a partner: mixup, CutMix and SamplePairing.

A mixing function is written as its draw alone. The decorator adds the checks in its types and the
application to the tensor, and keeps the draw as an attribute: `mixup(x)` returns `(mixed, draw)`,
`mixup.draw(x)` returns the draw.
"""

import inspect
from collections.abc import Callable
from functools import reduce, wraps
from operator import or_
from types import UnionType
from typing import (
    Annotated,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    Union,
    cast,
    get_args,
    get_origin,
)

import torch
from torch import Generator, Tensor

from .checks import Concentration, Flag, check_all, checks_of, interval
from .docstrings import complete_docstring
from .draws import Draw, Identity, KeepTargets, Masks, Pairs
from .partners import PairPartner, Partner, check_pairs, count_draws, find_partners, of_pairs
from .rand import rand
from .sampling import beta_variates

P = ParamSpec("P")

_RETURNS = (
    "    A tuple (mixed, draw): the mixed tensor, and the draw that mixed it; `draw.targets(t)` are the\n"
    "    targets of `mixed` from the targets t [b, c] of x."
)


class Mixing(Protocol[P]):
    """Type of a mixing function: `f(x, ...)` returns (mixed, draw), `f.draw(x, ...)` returns the draw.

    Examples:
        >>> F.mixup.draw(torch.rand(4, 3, 8, 8)).targets(torch.eye(4)).shape
        torch.Size([4, 4])
    """

    __name__: str
    draw: Callable[Concatenate[Tensor, P], Draw]

    def __call__(self, x: Tensor, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Draw]:
        """Mix x; returns the mixed tensor and the draw that mixed it."""


def mixing(draw: Callable[Concatenate[Tensor, P], Draw]) -> Mixing[P]:
    """Turn `draw(x, ...) -> draw` into the function `(x, ...) -> (mixed, draw)`.

    Args:
        draw: takes all randomness from a parameter `generator`. Parameters whose types hold a check, such as
            `alpha: Concentration`, are checked in every call.

    Returns:
        The function, with `draw` as its attribute `draw`.

    Examples:
        >>> @F.mixing
        ... def swap(x, generator=None):
        ...     return F.Pairs(torch.zeros(1), torch.randperm(len(x), generator=generator))
        >>> mixed, draw = swap(torch.rand(4, 8))
        >>> mixed.shape
        torch.Size([4, 8])
    """
    signature, checks = inspect.signature(draw), checks_of(draw)
    names = tuple(signature.parameters)[1:]

    @wraps(draw)
    def mix(x: Tensor, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Draw]:
        # torch.compile treats these arguments as constants, and cannot trace the checks
        if not torch.compiler.is_compiling() and len(args) <= len(names):
            # with too many positional arguments the call below raises Python's own TypeError
            named = check_all(checks, dict(zip(names, args, strict=False)))
            args, kwargs = tuple(named.values()), check_all(checks, kwargs)  # type: ignore[assignment]
        drawn = draw(x, *args, **kwargs)
        return drawn(x), drawn

    function: Any = mix
    function.draw = draw
    function.__signature__ = _shown_signature(signature)
    function.__doc__ = complete_docstring(inspect.getdoc(draw) or "", signature.parameters, _RETURNS)
    function.__annotations__ = {**draw.__annotations__, "return": tuple[Tensor, Draw]}
    return cast("Mixing[P]", function)


def _shown_signature(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature that `help` shows: with the result of the function, and types without checks."""
    plain = [
        each.replace(annotation=_without_checks(each.annotation)) for each in signature.parameters.values()
    ]
    return signature.replace(parameters=plain, return_annotation=tuple[Tensor, Draw])


def _without_checks(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, map(_without_checks, get_args(hint)))
    return hint


@mixing
def none(x: Tensor, generator: Generator | None = None) -> Draw:
    """No mixing: empirical risk minimisation.

    Examples:
        >>> mixed, draw = F.none(torch.tensor([[1.0, 2.0]]))
        >>> mixed
        tensor([[1., 2.]])
    """
    return Identity()


@mixing
def sample_pairing(x: Tensor, partner: Partner = "random", generator: Generator | None = None) -> Draw:
    """SamplePairing: average two images, keep the first one's label.

    The partner is random (arXiv:1801.02929).

    Examples:
        >>> mixed, draw = F.sample_pairing(torch.tensor([[0.0], [4.0]]), partner="reversed")
        >>> mixed.flatten(), draw.targets(torch.tensor([0, 1]))
        (tensor([2., 2.]), tensor([0, 1]))
    """
    return KeepTargets(
        Pairs(
            torch.full((1,), 0.5, device=x.device, dtype=torch.float32), find_partners(x, partner, generator)
        )
    )


@mixing
def mixup(
    x: Tensor,
    alpha: Concentration = 1.0,
    per_sample: Flag = False,
    partner: PairPartner = "random",
    generator: Generator | None = None,
) -> Draw:
    """mixup: interpolate two images and their labels.

    x_i and its target become lambda x_i + (1 - lambda) x_j, with lambda ~ Beta(alpha, alpha)
    (arXiv:1710.09412, equation 1), one for the batch or one `per_sample`; alpha = 0 is the limit, empirical
    risk minimisation.

    Args:
        partner: who an example is mixed with: random; reversed, example b - 1 - i, as in timm.data.Mixup;
            pair, the same with one draw for the two that are partners, timm's mode='pair'; in a spec closest,
            or ('closest', bandwidth), by closeness of the labels as in c_mixup; in a call indices [b], such
            as those of `closest_partners`.

    Examples:
        >>> mixed, draw = F.mixup(torch.rand(4, 3, 32, 32), alpha=0.2)
        >>> targets = draw.targets(F.soft_targets(torch.tensor([0, 1, 2, 3]), num_classes=10))
        >>> mixed.shape, targets.shape
        (torch.Size([4, 3, 32, 32]), torch.Size([4, 10]))
    """
    count = count_draws(x, per_sample, partner)
    lam = beta_variates(count, alpha, generator=generator, device=x.device)
    return Pairs(of_pairs(lam, x, partner), find_partners(x, partner, generator))


@mixing
def cutmix(
    x: Tensor,
    alpha: Concentration = 1.0,
    per_sample: Flag = False,
    correct: Flag = True,
    minmax: Annotated[tuple[float, float], interval(1, zero=True)] | None = None,
    partner: PairPartner = "random",
    generator: Generator | None = None,
) -> Draw:
    """CutMix: paste a box of another image, labels by area.

    The box has the area 1 - lambda, lambda ~ Beta(alpha, alpha), one for the batch or one `per_sample`, and a
    uniform centre; it is clipped at the border (arXiv:1905.04899, equations 1 and 2).

    Args:
        x: images or feature maps [b, ch, h, w].
        correct: whether the label is by the area really kept; else by the lambda that was drawn.
        minmax: timm's `cutmix_minmax`, after Darknet: instead of a lambda both sides of the box are drawn,
            evenly from the first to the second share of the image's (whole pixels, without the upper end),
            and the box lies anywhere inside.
        partner: as in mixup.

    Raises:
        ValueError: x is not [b, ch, h, w], or `alpha` or `correct` is given together with `minmax`.

    Examples:
        >>> mixed, draw = F.cutmix(torch.rand(4, 3, 32, 32))
        >>> mixed.shape, draw.keep.shape
        (torch.Size([4, 3, 32, 32]), torch.Size([1, 1, 32, 32]))
    """
    if x.dim() != 4:
        raise ValueError(f"cutmix must be given images or feature maps [b, ch, h, w], got {list(x.shape)}")
    check_boxes(alpha, correct, minmax)
    count = count_draws(x, per_sample, partner)
    if minmax is None:
        area = beta_variates(count, alpha, generator=generator, device=x.device)
        keep = _outside_boxes(area, x.shape[-2], x.shape[-1], generator)
        kept = keep.mean(dim=(1, 2, 3)) if correct else 1 - area
    else:
        keep = _outside_sides(count, minmax, x, generator)
        kept = keep.mean(dim=(1, 2, 3))
    chosen = find_partners(x, partner, generator)
    return Masks(of_pairs(keep, x, partner), of_pairs(kept, x, partner), chosen)


def check_boxes(
    alpha: float, correct: bool, minmax: Any, per_sample: bool = False, partner: Any = "random"
) -> None:
    """Check that boxes are drawn by a lambda or by their sides, and for examples or for pairs, but not both.

    Raises:
        ValueError: both are given.
    """
    check_pairs(per_sample, partner)
    if minmax is not None and (alpha != 1.0 or not correct):
        raise ValueError(
            f"alpha and correct must be left out with minmax={tuple(minmax)}, which draws no lambda, got "
            f"alpha={alpha:g}, correct={correct}"
        )


def _outside_sides(count: int, minmax: tuple[float, float], x: Tensor, generator: Generator | None) -> Tensor:
    """Return [count, 1, h, w]: zeros in boxes with drawn sides at uniform places, ones elsewhere."""
    uniform = rand(2, 2, count, 1, generator=generator, device=x.device)
    outside = [
        _outside_side(length, minmax, *each) for length, each in zip(x.shape[-2:], uniform, strict=True)
    ]
    return torch.maximum(outside[0].unsqueeze(2), outside[1].unsqueeze(1)).unsqueeze(1)


def _outside_side(length: int, minmax: tuple[float, float], side: Tensor, place: Tensor) -> Tensor:
    """[k, length]: 0 in an interval drawn with uniform numbers [k, 1] for side and place, 1 elsewhere."""
    low, high = (int(length * share) for share in minmax)
    side = low + (side * max(1, high - low)).floor()
    start = torch.minimum((place * (length - side + 1)).floor(), length - side)
    cell = torch.arange(length, device=side.device)
    return ((cell < start) | (cell >= start + side)).to(side.dtype)


def _outside_boxes(area: Tensor, height: int, width: int, generator: Generator | None) -> Tensor:
    """Return [k, 1, h, w]: zeros in boxes of these relative areas [k] about uniform centres, ones elsewhere.

    A side is floor(sqrt(area) * length) cells, clipped at the border. For such small tensors the number of
    operations is the cost, so rows and columns of a square are made together.
    """
    side = area.sqrt().view(-1, 1, 1)
    if height == width:
        rows, columns = _outside_intervals(side, 2, height, generator).unbind(1)
    else:
        rows = _outside_intervals(side, 1, height, generator).squeeze(1)
        columns = _outside_intervals(side, 1, width, generator).squeeze(1)
    return torch.maximum(rows.unsqueeze(2), columns.unsqueeze(1)).unsqueeze(1)


def _outside_intervals(side: Tensor, count: int, length: int, generator: Generator | None) -> Tensor:
    """[k, count, length]: 0 in `count` intervals of floor(side [k, 1, 1] * length) cells, 1 elsewhere."""
    shape = (len(side), count, 1)
    centres = side.new_empty(shape).random_(length, generator=generator)
    # With cells at k + 1/4 and integer centres, the distances are 1/4, 3/4, 5/4, ..., each exactly once. So
    # the number of distances up to side / 2 - 1/4 is the number of whole cells in the side, even or odd.
    cells = torch.arange(0.25, length, device=side.device, dtype=torch.float32)
    return (cells - centres).abs_().gt_(torch.rsub(side, -0.25, alpha=-length / 2))
