"""The mixers by name. An entry point is a function whose arguments are the mixer's, in their defaults."""

import difflib
import fnmatch
import inspect
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .mixer import Mixer
from .step import Branches, as_branches

EntryPoint = Callable[..., "Mixer | Branches"]

_entry_points: dict[str, EntryPoint] = {}


def register_mixer(entry_point: EntryPoint) -> EntryPoint:
    """Make a function that gives a mixer available under the function's name.

    Raises:
        ValueError: the name is taken.
    """
    name = entry_point.__name__
    if name in _entry_points:
        raise ValueError(f"a mixer named {name!r} is registered already")
    _entry_points[name] = entry_point
    return entry_point


def list_mixers(pattern: str = "*") -> list[str]:
    """Names of the registered mixers that match a glob pattern, in order of registration."""
    return fnmatch.filter(_entry_points, pattern)


def describe(name: str) -> str:
    """The first line of the entry point's docstring."""
    return (inspect.getdoc(find_entry_point(name)) or "").partition("\n")[0]


def build(name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Branches:
    """The weighted steps that an entry point gives for these arguments.

    Raises:
        UsageError: no such mixer, no such argument, or a value that is not allowed.
    """
    entry_point = find_entry_point(name)
    signature = inspect.signature(entry_point)
    try:
        signature.bind(*args, **(kwargs or {}))
    except TypeError as error:
        allowed = ", ".join(signature.parameters) or "none"
        raise UsageError(f"mixer {name}: {error}; its arguments are: {allowed}") from None
    try:
        mixer = entry_point(*args, **(kwargs or {}))
    except ValueError as error:
        raise UsageError(f"mixer {name}: {error}") from None
    return as_branches(mixer)


def find_entry_point(name: str) -> EntryPoint:
    """The function registered under a name. Raises: UsageError, which lists the names, if there is none."""
    if name not in _entry_points:
        near = difflib.get_close_matches(name, _entry_points, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"unknown mixer {name!r}{hint}; allowed are {', '.join(_entry_points)}")
    return _entry_points[name]
