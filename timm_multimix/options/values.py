"""Types of options: the allowed texts of flags, as annotations of fields."""

import argparse
import ast
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """A converter for integers >= `low`, and <= `high` if that is given."""
    allowed = f">= {low}" if high is None else f"from {low} to {high}"

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {allowed}, got {text!r}")
        return value

    return convert


def real(allowed: str, accept: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a converter for finite numbers that `accept` accepts; `allowed` describes them in messages."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accept(value)):
            raise argparse.ArgumentTypeError(f"expected a number {allowed}, got {text!r}")
        return value

    return convert


def key_value(text: str) -> tuple[str, Any]:
    """`key=value` with the value read as a Python literal where it is one, as text where it is not."""
    key, equals, value = text.partition("=")
    if not (equals and key.isidentifier()):
        raise argparse.ArgumentTypeError(f"expected key=value, got {text!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return key, value


def budget(text: str) -> float:
    """A distance in pixels of [0, 1], written as a fraction or a decimal."""
    top, slash, bottom = text.partition("/")
    try:
        value = float(top) / (float(bottom) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"expected a budget above 0 and at most 1 such as 4/255 or 0.03, got {text!r}"
        )
    return value


def sides(text: str) -> list[int]:
    """One side of an image, or height and width as `64x96`."""
    return [integer(1)(part) for part in text.split("x")]


class OneSize(argparse.Action):
    """An image's size from one or two `sides`: an integer for a square, else (height, width)."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        numbers = [side for word in ([values] if self.nargs is None else values) for side in word]
        if len(numbers) > 2:
            given = " ".join(map(str, numbers))
            raise argparse.ArgumentError(self, f"expected one side, or height and width, got {given}")
        setattr(namespace, self.dest, numbers[0] if len(set(numbers)) == 1 else tuple(numbers))


FIGURES = (".png", ".svg", ".pdf")


def figure(text: str) -> Path:
    """A file to draw into."""
    if Path(text).suffix.lower() not in FIGURES:
        raise argparse.ArgumentTypeError(f"expected a file that ends in {', '.join(FIGURES)}, got {text!r}")
    return Path(text)


def dataset_name(text: str) -> str:
    """A dataset: on the Hub, built in, or at a place of this machine."""
    return text


DatasetName = Annotated[str, dataset_name]  # with its kind, a record can tell whether it is a place
Count = Annotated[int, integer(1)]
Natural = Annotated[int, integer(0)]
Seed = Annotated[int, integer(0, 2**63 - 1)]
Finite = Annotated[float, real("that is finite", lambda value: True)]
Positive = Annotated[float, real("> 0", lambda value: value > 0)]
NonNegative = Annotated[float, real(">= 0", lambda value: value >= 0)]
Fraction = Annotated[float, real("from 0 to 1", lambda value: 0 <= value <= 1)]
Repeats = Annotated[float, real("that is 0 or >= 1", lambda value: value == 0 or value >= 1)]
BelowOne = Annotated[float, real("from 0 to less than 1", lambda value: 0 <= value < 1)]
PositiveFraction = Annotated[float, real("above 0 and at most 1", lambda value: 0 < value <= 1)]
Budget = Annotated[float, budget]
Figure = Annotated[Path, figure]
Size = Annotated[int | tuple[int, int], sides, OneSize]
KeyValues = dict[str, Any]
