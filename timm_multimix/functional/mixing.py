"""The methods as pure functions: each draws for a tensor and gives the mixed tensor with its draw.

Every function is written as its draw alone; `mixing` adds the checks that its types say and the application,
and keeps the draw reachable: `mixup(x)` is `(mixed, draw)`, `mixup.draw(x)` is the draw.
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
from .draws import Draw, Identity, KeepTargets, Masks, Pairs
from .partners import PairPartner, Partner, check_pairs, count_draws, find_partners, of_pairs
from .sampling import beta_variates

P = ParamSpec("P")


class Mixing(Protocol[P]):
    """The function `(x, ...) -> (mixed, draw)` of a `draw(x, ...) -> draw`."""

    __name__: str
    draw: Callable[Concatenate[Tensor, P], Draw]

    def __call__(self, x: Tensor, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Draw]:
        """Mix x, and give the draw by which that was done."""


def mixing(draw: Callable[Concatenate[Tensor, P], Draw]) -> Mixing[P]:
    """Make of `draw(x, ...) -> draw` the function `(x, ...) -> (mixed, draw)`.

    Args:
        draw: takes all randomness from a parameter `generator`. Parameters whose types hold a check, such as
            `alpha: Concentration`, are checked in every call.

    Returns:
        The function, with the draw alone as its attribute `draw`.
    """
    signature, checks = inspect.signature(draw), checks_of(draw)
    names = tuple(signature.parameters)[1:]

    @wraps(draw)
    def mix(x: Tensor, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Draw]:
        # a compiler sees constants here, and cannot look into the checks
        if not torch.compiler.is_compiling():
            # too many positional arguments are left for the call itself to say
            check_all(checks, {**dict(zip(names, args, strict=False)), **kwargs})
        drawn = draw(x, *args, **kwargs)
        return drawn(x), drawn

    function: Any = mix
    function.draw = draw
    function.__signature__ = _shown_signature(signature)
    function.__doc__ = _with_returns(inspect.getdoc(draw) or "")
    function.__annotations__ = {**draw.__annotations__, "return": tuple[Tensor, Draw]}
    return cast("Mixing[P]", function)


def _shown_signature(signature: inspect.Signature) -> inspect.Signature:
    """The signature that `help` shows: what is returned, and types without their checks."""
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


_RETURNS = """Returns:
    (mixed, draw): the mixed tensor, and the draw that mixed it; `draw.targets(t)` are the targets of `mixed`
    from the targets t [b, c] of x."""


def _with_returns(doc: str) -> str:
    """The docstring with what the function returns, which its draw alone does not say."""
    text, raises, errors = doc.partition("\n\nRaises:")
    return doc if "\nReturns:" in text else f"{text}\n\n{_RETURNS}{raises}{errors}"


@mixing
def none(x: Tensor, generator: Generator | None = None) -> Draw:
    """No mixing: empirical risk minimisation."""
    return Identity()


@mixing
def sample_pairing(x: Tensor, partner: Partner = "random", generator: Generator | None = None) -> Draw:
    """SamplePairing: average two images, keep the first one's label.

    Any x [b, ...] is averaged with a random partner (arXiv:1801.02929).
    """
    return KeepTargets(Pairs(torch.full((1,), 0.5, device=x.device), find_partners(x, partner, generator)))


@mixing
def mixup(
    x: Tensor,
    alpha: Concentration = 1.0,
    per_sample: Flag = False,
    partner: PairPartner = "random",
    generator: Generator | None = None,
) -> Draw:
    """mixup: interpolate two images and their labels.

    Any x [b, ...] is mixed with a partner by lambda ~ Beta(alpha, alpha) (arXiv:1710.09412, equation 1), one
    for the batch or one `per_sample`; alpha = 0 is the limit, empirical risk minimisation.

    Args:
        partner: who an example is mixed with: random; reversed, example b - 1 - i, as in timm.data.Mixup;
            pair, the same with one draw for the two that are partners, timm's mode='pair'; closest, or
            ('closest', bandwidth), by closeness of the labels as in c_mixup.
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

    The box in x [b, ch, h, w] has the area 1 - lambda, lambda ~ Beta(alpha, alpha), one for the batch or one
    `per_sample`, and a uniform centre; it is clipped at the border (arXiv:1905.04899, equations 1 and 2).

    Args:
        correct: whether the label is by the area really kept; else by the lambda that was drawn.
        minmax: timm's `cutmix_minmax`, after Darknet: in the place of a lambda both sides of the box are
            drawn, evenly from the first to the second share of the image's (whole pixels, the upper end left
            out), and the box lies anywhere inside.

    Raises:
        ValueError: x is not [b, ch, h, w], or `alpha` or `correct` is given beside `minmax`.
    """
    if x.dim() != 4:
        raise ValueError(f"cutmix needs images or feature maps [b, ch, h, w], given {list(x.shape)}")
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
    """Check that boxes are drawn in one way: by a lambda, or by their sides; and for examples or for pairs.

    Raises:
        ValueError: in both.
    """
    check_pairs(per_sample, partner)
    if minmax is not None and (alpha != 1.0 or not correct):
        raise ValueError(
            f"alpha and correct must be left out with minmax={tuple(minmax)}, which draws no lambda, got "
            f"alpha={alpha:g}, correct={correct}"
        )


def _outside_sides(count: int, minmax: tuple[float, float], x: Tensor, generator: Generator | None) -> Tensor:
    """Ones, and zeros in boxes whose sides are drawn, at uniform places inside: [count, 1, h, w]."""
    uniform = torch.rand(2, 2, count, 1, generator=generator, device=x.device)
    outside = [
        _outside_side(length, minmax, *each) for length, each in zip(x.shape[-2:], uniform, strict=True)
    ]
    return torch.maximum(outside[0].unsqueeze(2), outside[1].unsqueeze(1)).unsqueeze(1)


def _outside_side(length: int, minmax: tuple[float, float], side: Tensor, place: Tensor) -> Tensor:
    """1 outside of an interval, 0 in it: [k, length], from uniform numbers [k, 1] for its side and place."""
    low, high = (int(length * share) for share in minmax)
    side = low + (side * max(1, high - low)).floor()
    start = torch.minimum((place * (length - side + 1)).floor(), length - side)
    cell = torch.arange(length, device=side.device)
    return ((cell < start) | (cell >= start + side)).to(side.dtype)


def _outside_boxes(area: Tensor, height: int, width: int, generator: Generator | None) -> Tensor:
    """Ones, and zeros in boxes of these relative areas [k] about uniform centres: [k, 1, h, w].

    A side is floor(sqrt(area) * length) cells, clipped at the border. Of tensors so small the number of
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
    """1 outside `count` intervals of floor(side [k, 1, 1] * length) cells, 0 in them: [k, count, length]."""
    shape = (len(side), count, 1)
    centres = torch.randint(length, shape, generator=generator, device=side.device, dtype=side.dtype)
    # Counted from a quarter on, cells are 1/4, 3/4, 5/4 ... from a centre, one at each of these distances:
    # as many are no farther than half a side less a quarter as the side has whole cells.
    cells = torch.arange(0.25, length, device=side.device)
    return (cells - centres).abs_().gt_(torch.rsub(side, -0.25, alpha=-length / 2))
