"""Checks of arguments, declared in the type of the parameter: `alpha: Concentration = 1.0`.

To a type checker these types are ordinary ones (`float`, `int`, ...); `checks_of` reads the checks in them.
"""

import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Annotated, Any


@dataclass(frozen=True)
class Check:
    """A condition on an argument: its wording for messages, a test, and a conversion of what passes.

    Args:
        wanted: what the argument must be, as it follows "must be" in a message.
        passes: whether a value is allowed.
        convert: applied to allowed values.
        optional: whether None is allowed, too.
    """

    wanted: str
    passes: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    optional: bool = False

    def __repr__(self) -> str:
        return f"Check({self.wanted!r})"  # as signatures show it

    def __call__(self, name: str, value: Any) -> Any:
        """Return the value, converted.

        Args:
            name: the argument's name, for the message.
            value: the value to check.

        Raises:
            ValueError: the value is not allowed.
        """
        if value is None and self.optional:
            return None
        if not self.passes(value):
            wanted = f"{self.wanted} or None" if self.optional else self.wanted
            raise ValueError(f"{name} must be {wanted}, got {value!r}")
        return self.convert(value)


_LARGEST = 3.4e38  # in float32


def _is_number(value: Any) -> bool:
    # bool is a subclass of int in Python, but alpha=True is a mistake
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_concentration(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= _LARGEST


def _is_ordered(pair: Any, passes: Callable[[Any], bool]) -> bool:
    """Return whether a value is a pair (low, high) of values that pass, with low <= high."""
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(map(passes, pair)) and pair[0] <= pair[1]


def _as_floats(value: Any) -> float | tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, tuple | list) else float(value)


whole = Check("a whole number", _is_whole, int)
share = Check("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1, float)
flag = Check("True or False", lambda value: isinstance(value, bool))
concentration = Check("a finite number of at least 0", _is_concentration, float)
concentration_range = Check(
    "a finite number of at least 0 or a pair (low, high) of such, low <= high",
    lambda value: _is_concentration(value) or _is_ordered(value, _is_concentration),
    _as_floats,
)
positive = Check("a positive number", lambda value: _is_concentration(value) and value > 0, float)


def at_least(smallest: int) -> Check:
    """Return the check for integers of at least `smallest`."""
    wanted = f"an integer of at least {smallest}"
    return Check(wanted, lambda value: _is_whole(value) and value >= smallest, int)


def one_of(*words: str) -> Check:
    """Return the check for a choice of words."""
    return Check(f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


def interval(largest: float = math.inf, zero: bool = False) -> Check:
    """Return the check for pairs (low, high) of positive numbers.

    Args:
        largest: the upper limit of both; the default allows any finite number.
        zero: whether they may be 0.
    """
    limit = "" if largest == math.inf else f" <= {largest:g}"
    wanted = f"a pair (low, high) with 0 {'<=' if zero else '<'} low <= high{limit}"

    def within(value: Any) -> bool:
        return _is_concentration(value) and value <= largest and (zero or value > 0)

    return Check(wanted, lambda value: _is_ordered(value, within), _as_floats)


Count = Annotated[int, at_least(1)]
Share = Annotated[float, share]
Flag = Annotated[bool, flag]
Concentration = Annotated[float, concentration]
ConcentrationRange = Annotated[float | tuple[float, float], concentration_range]
Positive = Annotated[float, positive]


def checks_of(function: Callable[..., Any]) -> dict[str, Check]:
    """Return the checks in the types of a function's parameters, by name; `Count | None` also allows None."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:  # a type that is imported for type checkers only
        return {}
    found = {name: _check_in(hint) for name, hint in hints.items()}
    return {name: check for name, check in found.items() if check is not None}


def _check_in(hint: Any) -> Check | None:
    parts = (hint, *typing.get_args(hint))
    optional = type(None) in parts
    for part in parts:
        for note in getattr(part, "__metadata__", ()):
            if isinstance(note, Check):
                return replace(note, optional=optional)
    return None


def check_all(checks: Mapping[str, Check], values: Mapping[str, Any]) -> dict[str, Any]:
    """Check and convert each value by the check of its name, if there is one.

    Raises:
        ValueError: a value is not allowed.
    """
    return {name: checks[name](name, value) if name in checks else value for name, value in values.items()}
