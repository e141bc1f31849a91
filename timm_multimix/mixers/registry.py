"""The registry: mixers by name, each declared by one function under `register_mixer`."""

import fnmatch
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from ..errors import UsageError
from ..mixer_names import PER_SAMPLE, SKIP, unknown_mixer
from .entries import Entry, drawing_entry, making_entry
from .plugins import load_installed
from .sources import Agreement, Paper
from .step import Branches, as_branches

Function = TypeVar("Function", bound=Callable[..., Any])

_entry_points: dict[str, Entry] = {}


@overload
def register_mixer(function: Function, /) -> Function: ...


@overload
def register_mixer(
    *, paper: Paper | None = None, agreement: Agreement | None = None, **declared: Any
) -> Callable[[Function], Function]: ...


def register_mixer(
    function: Callable[..., Any] | None = None,
    /,
    *,
    paper: Paper | None = None,
    agreement: Agreement | None = None,
    **declared: Any,
) -> Any:
    """Make a mixer available in specs, under the function's name.

    Most mixers are a function that draws: its first parameter is the tensor to mix, the others have defaults
    and are the mixer's arguments, `generator` is the source of all randomness, and it returns a `Draw`. A
    check in the type of a parameter (`alpha: Concentration = 1.0`, see `functional.checks`) is applied when
    the spec is read. Functions of `functional` are registered likewise.

    A function without the tensor, all of whose parameters have defaults, makes the mixer itself: it returns a
    `Mixer`, or `Branches` if there is more than one. Its parameters may have checks, too.

    Args:
        function: the function; `@register_mixer` without parentheses is enough if nothing else is declared.
        paper: the source of the method.
        agreement: how the mixer agrees with it; every mixer of this package declares it.
        **declared: for functions that draw, the arguments of `drawing_entry`: place, guide, row_per_example,
            solver, check.

    Returns:
        The function, unchanged.

    Raises:
        ValueError: the name is taken, or a parameter has no default.
        TypeError: an argument of `drawing_entry` is given for a function that does not draw.

    Examples:
        >>> @register_mixer(place=("input", "hidden"))
        ... def half(x, generator=None):
        ...     "Average each example with a random partner."
        ...     partner = torch.randperm(len(x), generator=generator, device=x.device)
        ...     return F.Pairs(torch.full((1,), 0.5, device=x.device), partner)
        >>> create_mixer("mixup | half")
        Mixture('mixup | half')
    """
    if function is None:
        return partial(_register, paper=paper, agreement=agreement, **declared)
    return _register(function, paper, agreement, **declared)


def _register(
    function: Function, paper: Paper | None, agreement: Agreement | None, **declared: Any
) -> Function:
    make_entry: Callable[..., Entry] = drawing_entry if _draws(function) else making_entry
    entry = make_entry(function, paper, agreement, **declared)
    if not entry.name.isidentifier() or entry.name in (SKIP, PER_SAMPLE):
        raise ValueError(f"a mixer's name must be a new word of Python, got {entry.name!r}")
    if entry.name in _entry_points:
        raise ValueError(f"a mixer named {entry.name!r} is registered already")
    _entry_points[entry.name] = entry
    return function


def _draws(function: Callable[..., Any]) -> bool:
    """Return whether a function's first parameter is a tensor to mix, and so has no default."""
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.default is first.empty


def list_mixers(pattern: str = "*") -> list[str]:
    """Return the names of the registered mixers, in order of registration.

    Last are those of other installed packages, from entry points of the group `timm_multimix.mixers`.

    Args:
        pattern: a glob pattern of names.

    Examples:
        >>> list_mixers("*cutmix")
        ['cutmix']
    """
    load_installed()
    return fnmatch.filter(_entry_points, pattern)


def describe(name: str) -> str:
    """Return the first line of the docstring of a mixer's function.

    Args:
        name: the mixer.

    Raises:
        UsageError: there is no such mixer.

    Examples:
        >>> mixers.describe("cutmix")
        'CutMix: paste a box of another image, labels by area.'
    """
    return (find_entry_point(name).__doc__ or "").partition("\n")[0]


def build(name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Branches:
    """Return the weighted steps of a mixer with these arguments.

    Args:
        name: the mixer.
        args: positional arguments.
        kwargs: arguments by name.

    Raises:
        UsageError: no such mixer, no such argument, or a value that is not allowed.
    """
    entry = find_entry_point(name)
    try:
        entry.__signature__.bind(*args, **(kwargs or {}))
    except TypeError as error:
        allowed = ", ".join(entry.__signature__.parameters) or "none"
        raise UsageError(f"mixer {name}: {error}; its arguments are: {allowed}") from None
    try:
        mixer = entry(*args, **(kwargs or {}))
    except ValueError as error:
        raise UsageError(f"mixer {name}: {error}") from None
    return as_branches(mixer)


def find_entry_point(name: str) -> Entry:
    """Return the entry registered under a name.

    Args:
        name: the mixer.

    Raises:
        UsageError: there is none; the message lists the names.
    """
    if name not in _entry_points:
        load_installed()
    if name not in _entry_points:
        raise unknown_mixer(name, _entry_points)
    return _entry_points[name]
