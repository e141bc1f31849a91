"""A column of a table as what a model is trained towards: classes, several labels an image, or numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..records.tasks import CLASSIFICATION, MULTI_LABEL, REGRESSION
from .columns import is_list, is_text, label_columns, shown
from .labels import read_labels, read_values

if TYPE_CHECKING:
    from datasets import Dataset

AUTO = "auto"
_MOST_SHOWN = 5


def task_of(labels: Any) -> str:
    """The task of labels: rows [n, c] multi-label, floats [n] regression, others and None classification."""
    found = np.zeros(0, dtype=np.int64) if labels is None else np.asarray(labels)
    if found.ndim == 2:
        return MULTI_LABEL
    return REGRESSION if np.issubdtype(found.dtype, np.floating) else CLASSIFICATION


def task_of_source(source: Any) -> str:
    """Return the task of a source of images: its attribute `task`, else the task of its labels."""
    return getattr(source, "task", None) or task_of(getattr(source, "labels", None))


def read_targets(
    dataset: "Dataset", columns: str, task: str, known: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Read the labels of a table.

    Lists, and several columns of 0 and 1, are multi-label targets; floats with fractions are regression
    targets; all else are classes, by the rules of `read_labels`.

    Args:
        dataset: the table.
        columns: the column, or several with commas between them.
        task: one of `TASKS`, or auto: by the type of the column.
        known: the classes, for columns that declare none.
        title: what the table is called in errors.

    Returns:
        Class numbers [n], rows [n, c] of 0.0 and 1.0, or floats [n]; and the names of the classes or of the
        number.

    Raises:
        UsageError: the labels do not go with the task, or a row has none.
    """
    names = label_columns(dataset, columns)
    if len(names) > 1:
        _check_task(task, MULTI_LABEL, f"several columns ({shown(names, _MOST_SHOWN)})", title)
        flags = [read_flags(_values(dataset, name), f"{name} of {title}") for name in names]
        return np.stack(flags, axis=1), names
    values = dataset.data.column(columns)
    if is_list(values.type):
        _check_task(task, MULTI_LABEL, f"a column of lists ({columns})", title)
        return read_lists(values.to_pylist(), _declared(dataset, columns) or known, title)
    if task == MULTI_LABEL:
        raise UsageError(
            f"`task` {task} needs a column of lists, or several columns of 0 and 1 as `label_column` A,B,C; "
            f"{columns} of {title} is of type {values.type}"
        )
    if task == REGRESSION or (task == AUTO and _has_fractions(values)):
        return read_numbers(_values(dataset, columns), title), [columns]
    return read_labels(dataset, columns, known, title)


def read_array(
    labels: np.ndarray, task: str, known: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Read an array of labels [n], [n, 1] or [n, c] by the rules of `read_targets`.

    Raises:
        UsageError: as `read_targets`.
    """
    if labels.ndim == 2 and labels.shape[1] > 1:
        _check_task(task, MULTI_LABEL, f"labels {list(labels.shape)}", title)
        flags = [read_flags(column, f"column {k} of {title}") for k, column in enumerate(labels.T)]
        return np.stack(flags, axis=1), known or [str(k) for k in range(labels.shape[1])]
    if task == MULTI_LABEL:
        raise UsageError(f"`task` {task} needs labels [n, c] in {title}, got {list(labels.shape)}")
    floats = np.issubdtype(labels.dtype, np.floating)
    if task == REGRESSION or (task == AUTO and floats and (labels != np.floor(labels)).any()):
        return read_numbers(labels.reshape(-1), title), ["value"]
    return read_values(labels, known, title)


def read_flags(values: np.ndarray, what: str) -> np.ndarray:
    """A column of 0 and 1 as float32. Raises: UsageError for the first other value."""
    try:
        found = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        found = np.full(len(values), np.nan, dtype=np.float32)
    if len(other := np.flatnonzero((found != 0) & (found != 1))):
        row = other[0]
        raise UsageError(f"multi-label columns must hold 0 or 1, got {values[row]!s} in row {row} of {what}")
    return found


def read_numbers(values: np.ndarray, title: str) -> np.ndarray:
    """Numbers as float32. Raises: UsageError for the first that is missing or not finite."""
    try:
        found = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise UsageError(
            f"regression targets must be numbers, got {values[0]!r} in row 0 of {title}"
        ) from None
    if len(other := np.flatnonzero(~np.isfinite(found))):
        row = other[0]
        raise UsageError(
            f"regression targets must be finite numbers, got {found[row]} in row {row} of {title}"
        )
    return found


def read_lists(
    rows: list[list[Any] | None], known: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Lists of class names or numbers, or of a 0 or 1 for each of three or more classes, as rows [n, c].

    Raises:
        UsageError: a row has no list, or a label that is none of the known.
    """
    if None in rows:
        raise UsageError(
            f"no labels in row {rows.index(None)} of {title}; an image of no class has an empty list"
        )
    lists = [row or [] for row in rows]
    found = {value for row in lists for value in row}
    if found <= {0, 1} and _length_of_all(lists) > 2:
        flags = np.array(lists, dtype=np.float32)
        return flags, known or [str(k) for k in range(flags.shape[1])]
    names = known or _names_of(found, title)
    return _one_hot(lists, names, title), names


def _length_of_all(lists: list[list[Any]]) -> int:
    """Return the common length; 0 if they differ."""
    lengths = {len(row) for row in lists}
    return lengths.pop() if len(lengths) == 1 else 0


def _one_hot(lists: list[list[Any]], names: list[str], title: str) -> np.ndarray:
    """Rows [n, c] of lists of names or of numbers."""
    numbers = {name: k for k, name in enumerate(names)} | {k: k for k in range(len(names))}
    targets = np.zeros((len(lists), len(names)), dtype=np.float32)
    for row, labels in enumerate(lists):
        for label in labels:
            if label not in numbers:
                raise UsageError(f"label {label!r} of row {row} of {title} is none of {shown(names)}")
            targets[row, numbers[label]] = 1
    return targets


def _names_of(found: set[Any], title: str) -> list[str]:
    """Return the classes of lists without declared names: sorted texts, or numbers from 0 to the largest."""
    if not found:
        raise UsageError(f"{title} has no label in any row")
    if all(isinstance(value, str) for value in found):
        return sorted(found)
    if all(isinstance(value, int) and value >= 0 for value in found):
        return [str(k) for k in range(max(found) + 1)]
    raise UsageError(f"lists of labels must hold texts, or class numbers from 0 on, in {title}")


def _declared(dataset: "Dataset", column: str) -> list[str] | None:
    """The names that `datasets` declares for the entries of lists."""
    names = getattr(getattr(dataset.features[column], "feature", None), "names", None)
    return list(names) if names else None


def _values(dataset: "Dataset", column: str) -> np.ndarray:
    return np.asarray(dataset.data.column(column).to_numpy())


def _has_fractions(values: Any) -> bool:
    import pyarrow as pa

    if is_text(values.type) or not pa.types.is_floating(values.type):
        return False
    numbers = values.drop_null().to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    return bool((numbers != np.floor(numbers)).any())


def _check_task(task: str, found: str, what: str, title: str) -> None:
    if task not in (AUTO, found):
        raise UsageError(f"`task` {task}: {what} of {title} is {found}")
