"""A column of labels as class numbers with the names of the classes, checked row by row."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .columns import class_names, is_text, shown, value_type

if TYPE_CHECKING:
    from datasets import Dataset

_MANY_CLASSES = 10_000
_LEAST_USED = 0.1


def read_labels(
    dataset: "Dataset", column: str, known: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Integer labels [n] and the class names: declared ones, else the `known`, else made from the values.

    Raises: UsageError, which names the first row without a label (an empty text is none) or with one outside
        the classes; for numbers so far apart that they can be no class numbers.
    """
    values = _plain(dataset.data.column(column))
    if is_text(values.type):
        _check_present(values, title)
        names = known or sorted(set(values.unique().to_pylist()))
        return _indices_of(values, names, title), names
    _check_present(values, title)
    labels = values.to_numpy().astype(np.int64)
    names = class_names(dataset, column) or known or _numbered(labels, column, title)
    _check_range(labels, names, title)
    return labels, names


def _plain(values: Any) -> Any:
    """The column without dictionaries and views, which few functions of Arrow take."""
    import pyarrow as pa

    kind = value_type(values.type)
    return values.cast(pa.large_string() if is_text(kind) else kind)


def _check_present(values: Any, title: str) -> None:
    import pyarrow.compute as pc

    missing = values.is_null()
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


def _numbered(labels: np.ndarray, column: str, title: str) -> list[str]:
    """Names for the numbers from 0 to the largest label."""
    count, used = int(labels.max(initial=-1)) + 1, len(np.unique(labels))
    if count > _MANY_CLASSES and used < _LEAST_USED * count:
        raise UsageError(
            f"column {column} of {title} holds {used} different numbers up to {count - 1}, which as labels "
            f"would make {count} classes; name another with `label_column`, or number the classes from 0"
        )
    return [str(label) for label in range(count)]


def _check_range(labels: np.ndarray, names: list[str], title: str) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(outside):
        row = outside[0]
        allowed = f"outside 0..{len(names) - 1} ({len(names)} classes)"
        unlabelled = "; a split without labels cannot be used" if labels[row] == -1 else ""
        raise UsageError(f"label {labels[row]} of row {row} of {title} is {allowed}{unlabelled}")
