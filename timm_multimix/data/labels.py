"""Columns of labels as class numbers with the names of the classes, checked row by row."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .columns import class_names, is_text, shown, value_type

if TYPE_CHECKING:
    from datasets import Dataset

UNUSED = "unused "
"""The beginning of the trainer's names for outputs that --num-classes added after all others."""

_MANY_CLASSES = 10_000
_LEAST_USED = 0.1


class ModelNames(list[str]):
    """Class names of a model, not of the data: texts are among them, but a number does not stand for one."""


def names_of_numbers(known: list[str] | None) -> list[str] | None:
    """Return the classes of integer labels that are not named; those of a model only if they are numbers.

    A model's other names may be in another order than the numbers, which then are all that is known.
    """
    if not isinstance(known, ModelNames):
        return known
    named = [name for name in known if not name.startswith(UNUSED)]
    first = first_number(named)
    numbers = [str(number) for number in range(first, first + len(named))]
    return named if named == numbers else [str(number) for number in range(len(known))]


def read_labels(
    dataset: "Dataset", column: str, known: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Read a column of labels.

    Texts are classes in the order of their code points. Integers count classes from 0, or from 1 if that is
    the lowest; so do floats without a fraction, and booleans are 0 and 1. `datasets.ClassLabel` says its own
    names.

    Args:
        dataset: the table.
        column: its column of labels.
        known: the classes, for a column that declares none; by default they are made from the values.
            `ModelNames` are those of texts only, unless they are numbers.
        title: what the table is called in errors.

    Returns:
        Class numbers [n] and the class names.

    Raises:
        UsageError: for the first row without a label (an empty text is none) or with one outside the classes;
            for numbers that can be no class numbers.
    """
    declared = class_names(dataset, column)
    return _read(dataset.data.column(column), declared, known, f"column {column} of {title}", title)


def read_values(labels: np.ndarray, known: list[str] | None, title: str) -> tuple[np.ndarray, list[str]]:
    """Read an array of labels [n] or [n, 1] by the rules of `read_labels`.

    Raises:
        UsageError: as `read_labels`, and for arrays of other shapes.
    """
    import pyarrow as pa

    flat = labels[:, 0] if labels.shape[1:] == (1,) else labels
    if flat.ndim != 1:
        raise UsageError(f"the labels of {title} must be [n] or [n, 1], got {list(labels.shape)}")
    return _read(pa.chunked_array([pa.array(flat)]), None, known, title, title)


def _read(
    column: Any, declared: list[str] | None, known: list[str] | None, what: str, title: str
) -> tuple[np.ndarray, list[str]]:
    values = _plain(column)
    _check_present(values, title)
    if is_text(values.type):
        names = known or sorted(set(values.unique().to_pylist()))
        return _indices_of(values, names, title), names
    labels = _whole_numbers(values.to_numpy(), title)
    names = declared or names_of_numbers(known) or _numbered(labels, what)
    first = 0 if declared else first_number(names)
    _check_range(labels, names, first, title)
    return labels - first, names


def _plain(values: Any) -> Any:
    """Return the column without dictionaries and views, which few functions of Arrow accept."""
    import pyarrow as pa

    kind = value_type(values.type)
    return values.cast(pa.large_string() if is_text(kind) else kind)


def _whole_numbers(values: np.ndarray, title: str) -> np.ndarray:
    """Numbers or booleans as integers. Raises: UsageError for the first with a fraction."""
    labels = values.astype(np.int64)
    if len(other := np.flatnonzero(labels != values)):
        row = other[0]
        raise UsageError(f"label {values[row]} of row {row} of {title} is no class number")
    return labels


def first_number(names: list[str]) -> int:
    """1 where classes are numbers from 1 on, else 0."""
    return int(bool(names) and names == [str(number) for number in range(1, len(names) + 1)])


def _check_present(values: Any, title: str) -> None:
    import pyarrow.compute as pc

    missing = values.is_null(nan_is_null=True)
    if is_text(values.type):
        empty = pc.equal(pc.utf8_trim_whitespace(values), "")
        missing = pc.or_(missing, pc.fill_null(empty, False))
    count = pc.sum(missing).as_py() or 0
    if count:
        row = pc.index(missing, True).as_py()
        more = f" (and of {count - 1} more)" if count > 1 else ""
        raise UsageError(f"no label in row {row} of {title}{more}")


def _indices_of(values: Any, names: list[str], title: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    indices = pc.index_in(values, value_set=pa.array(names, type=values.type))
    if indices.null_count:
        row = pc.index(indices.is_null(), True).as_py()
        raise UsageError(f"label {values[row].as_py()!r} of row {row} of {title} is none of {shown(names)}")
    return indices.to_numpy().astype(np.int64)


def _numbered(labels: np.ndarray, what: str) -> list[str]:
    """Names for the numbers from 0, or from 1 if that is the lowest, to the largest label."""
    largest, used = int(labels.max(initial=-1)), len(np.unique(labels))
    if largest >= _MANY_CLASSES and used < _LEAST_USED * (largest + 1):
        raise UsageError(
            f"{what} holds {used} different numbers up to {largest}, which as labels would make "
            f"{largest + 1} classes; name another with `label_column`, or number the classes from 0"
        )
    return [str(label) for label in range(int(len(labels) > 0 and labels.min() == 1), largest + 1)]


def _check_range(labels: np.ndarray, names: list[str], first: int, title: str) -> None:
    last = first + len(names) - 1
    outside = np.flatnonzero((labels < first) | (labels > last))
    if len(outside):
        row = outside[0]
        allowed = f"outside {first}..{last} ({len(names)} classes)"
        unlabelled = "; a split without labels cannot be used" if labels[row] == -1 else ""
        raise UsageError(f"label {labels[row]} of row {row} of {title} is {allowed}{unlabelled}")
