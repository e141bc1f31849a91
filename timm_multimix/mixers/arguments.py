"""Checks of the arguments of registered mixers; each gives the value back or says what is allowed."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from ..errors import UsageError


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def whole(name: str, value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UsageError(f"{name}={value!r} given, allowed is a whole number")
    return int(value)


def count(name: str, value: Any) -> int:
    """An integer of at least one."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise UsageError(f"{name}={value!r} given, allowed is an integer of at least 1")
    return int(value)


def fraction(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    if not _number(value) or not 0 <= value <= 1:
        raise UsageError(f"{name}={value!r} given, allowed is a number from 0 to 1")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise UsageError(f"{name}={value!r} given, allowed are True and False")
    return value


def concentration(name: str, value: Any) -> float:
    """A finite number of at least 0, the concentration of a Beta or Dirichlet distribution."""
    if not _number(value) or not 0 <= value < float("inf"):
        raise UsageError(f"{name}={value!r} given, allowed is a finite number of at least 0")
    return float(value)


def concentration_range(name: str, value: Any) -> float | tuple[float, float]:
    """A concentration, or a pair (low, high) of them to draw it from."""
    if not isinstance(value, tuple | list):
        return concentration(name, value)
    if len(value) != 2 or not all(map(_number, value)) or not 0 <= value[0] <= value[1] < float("inf"):
        allowed = "a number or a pair (low, high) with 0 <= low <= high"
        raise UsageError(f"{name}={value!r} given, allowed is {allowed}")
    return float(value[0]), float(value[1])


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of the allowed words."""
    if value not in allowed:
        raise UsageError(f"{name}={value!r} given, allowed are {', '.join(allowed)}")
    return value


def layer_list(name: str, value: Any) -> tuple[int | str, ...]:
    """Layers to choose from: 0 for the input, a number in feature_info, 'stage k', or a module's name."""
    layers = tuple(value) if isinstance(value, tuple | list) else (value,)
    for layer in layers:
        number = isinstance(layer, int) and not isinstance(layer, bool) and layer >= 0
        if not (number or isinstance(layer, str)):
            raise UsageError(f"{name}={value!r} given, allowed are 0 (input), stage numbers and module names")
    if not layers:
        raise UsageError(f"{name}={value!r} given, at least one layer is needed")
    return layers
