"""Measured numbers in long form, and tables of them for the terminal and for model cards."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..redaction import last_part
from .metrics import METRICS, PERCENT, Metric

ALL = "all images"
"""The row for all images, in tables that also have other rows."""


@dataclass(frozen=True)
class Number:
    """A measured number.

    Attributes:
        metric: what was measured.
        value: the number; None if there is none.
        row: its row in a table; None if the table has one row per metric.
        column: its column; by default the metric's.
        how: the settings it depends on, appended to its name in a comparison; None: comparisons leave it out.
    """

    metric: Metric
    value: float | None
    row: str | None = None
    column: str | None = None
    how: str | None = ""

    @property
    def name(self) -> str:
        """The metric, how it was measured, and its unit if that is per cent."""
        unit = f", {PERCENT}" if self.metric.unit == PERCENT else ""
        return f"{self.metric.full_name}{self.how or ''}{unit}"

    @property
    def is_overall(self) -> bool:
        """Whether it is the metric of all images, not under some condition."""
        return self.row in (None, ALL)

    @property
    def is_compared(self) -> bool:
        """Whether a comparison has a row for it."""
        return self.metric.compared and self.how is not None


class Block(NamedTuple):
    """A part of an evaluation for display: a title, numbers, and the text in the table's corner."""

    title: str
    numbers: list[Number]
    corner: str = ""


class Table(NamedTuple):
    """A table of texts; the first column names the rows."""

    title: str
    header: list[str]
    rows: list[list[str]]


def numbers_of(
    values: Mapping[str, Any],
    row: str | None = None,
    how: Mapping[str, str | None] | str | None = "",
) -> Iterator[Number]:
    """Return the numbers among plain values whose names are those of metrics, in the order of `METRICS`.

    Args:
        values: a part of a record.
        row: the row of the table for them.
        how: the settings that they depend on, the same for all, or by the metric's name.
    """
    for key, metric in METRICS.items():
        if key in values:
            told = how.get(key, "") if isinstance(how, Mapping) else how
            yield Number(metric, values[key], row, how=told)


def make_table(block: Block) -> Table:
    """Make a table with rows and columns in the order of the numbers; a single row becomes a column."""
    numbers = block.numbers
    if all(number.row is None for number in numbers):
        rows = [[number.metric.heading, number.metric.format(number.value)] for number in numbers]
        return Table(block.title, [block.corner, "value"], rows)
    cells: dict[str, dict[str, str]] = {}
    for number in numbers:
        column = number.metric.heading if number.column is None else number.column
        cells.setdefault(number.row or "", {})[column] = number.metric.format(number.value)
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    rows = [[name, *(row.get(column, "") for column in columns)] for name, row in cells.items()]
    return Table(block.title, [block.corner, *columns], rows)


def glossary(numbers: Iterable[Number]) -> str:
    """Return the abbreviations among the labels of numbers, written out with their units, as a sentence."""
    metrics = dict.fromkeys(number.metric for number in numbers)
    told = [
        f"{metric.label}: {metric.name}" + (f" in {metric.unit}" if metric.unit not in ("", PERCENT) else "")
        for metric in metrics
        if metric.name and metric.name != metric.label and not metric.name.startswith(metric.label)
    ]
    lower = any(metric.better == "lower" for metric in metrics)
    return "; ".join([*(["\u2193: lower is better"] if lower else []), *told])


def is_number(value: Any) -> bool:
    """Return whether a value of a record is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def short_name(name: str) -> str:
    """Return the last part of a directory, and other names as they are."""
    return last_part(name) if name.startswith(("/", "~", ".")) or "\\" in name else name


def data_name(data: Mapping[str, Any]) -> str:
    """Name of a dataset in an evaluation: for a directory its last part, however its path was given."""
    name = str(data["dataset"])
    return last_part(name) if data.get("kind") == "folder" else short_name(name)
