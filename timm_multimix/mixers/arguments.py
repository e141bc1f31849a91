"""Checks of arguments that raise UsageError."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import UsageError
from ..functional import checks


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Turn a ValueError of `functional` into a UsageError.

    Raises:
        UsageError: for a ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from None


def whole(name: str, value: Any) -> int:
    """Return a whole number."""
    with as_usage_error():
        return int(checks.whole(name, value))


def count(name: str, value: Any) -> int:
    """Return an integer of at least one."""
    with as_usage_error():
        return int(checks.at_least(1)(name, value))


def fraction(name: str, value: Any) -> float:
    """Return a number from 0 to 1."""
    with as_usage_error():
        return float(checks.share(name, value))
