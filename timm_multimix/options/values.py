"""What a flag's text may be: numbers within bounds, key=value pairs, switches with an off."""

import argparse
import ast
import math
from collections.abc import Callable, Sequence
from typing import Any


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """A converter for whole numbers of at least `low`, and of at most `high` if that is given."""
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
    """A converter for finite numbers that `accept` takes; `allowed` says in words which these are."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accept(value)):
            raise argparse.ArgumentTypeError(f"expected a number {allowed}, got {text!r}")
        return value

    return convert


finite = real("that is finite", lambda value: True)
positive = real("> 0", lambda value: value > 0)
non_negative = real(">= 0", lambda value: value >= 0)
fraction = real("from 0 to 1", lambda value: 0 <= value <= 1)
below_one = real("from 0 to less than 1", lambda value: 0 <= value < 1)
positive_fraction = real("above 0 and at most 1", lambda value: 0 < value <= 1)


def key_value(text: str) -> tuple[str, Any]:
    """`key=value` with the value read as a Python literal where it is one, as text where it is not."""
    key, equals, value = text.partition("=")
    if not (equals and key.isidentifier()):
        raise argparse.ArgumentTypeError(f"expected key=value, got {text!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return key, value


class KeyValues(argparse.Action):
    """Collects the `key_value` pairs of one flag in a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, dict(values))


def sides(text: str) -> list[int]:
    """One side of an image, or height and width as `64x96`."""
    return [integer(1)(part) for part in text.split("x")]


class Size(argparse.Action):
    """An image's size from one or two `sides`: an integer for a square, else [height, width]."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        numbers = [side for word in ([values] if self.nargs is None else values) for side in word]
        if len(numbers) > 2:
            given = " ".join(map(str, numbers))
            raise argparse.ArgumentError(self, f"expected one side, or height and width, got {given}")
        setattr(namespace, self.dest, numbers[0] if len(set(numbers)) == 1 else numbers)


class Switch(argparse.Action):
    """True by its first flag, False by its second, which undoes a config file's choice."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string == self.option_strings[0])
