"""Which columns of a table hold the pictures and the labels, found by type; labels and class names."""

from typing import TYPE_CHECKING, Any

import numpy as np

from timm_multimix.data.images import decode_image
from timm_multimix.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

_IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
_LABEL_NAMES = ("label", "labels", "fine_label", "target", "class", "cls", "y")
_MOST_CLASSES = 1_000_000


def find_image_column(dataset: "Dataset", wanted: str | None, title: str) -> str:
    """The column of type Image, else one of encoded pictures.

    Raises: UsageError, which lists the columns, if there is none, several, or not the wanted one.
    """
    import datasets

    if wanted is not None:
        _check_column(dataset, wanted, "image_column", title)
        if not _may_hold_images(dataset, wanted):
            kind = _typed(dataset, wanted)
            raise UsageError(f"`image_column` {wanted}: {kind} in {title}, not of pictures")
        return wanted
    typed = [name for name, kind in dataset.features.items() if isinstance(kind, datasets.Image)]
    found = typed or [name for name in dataset.column_names if _holds_images(dataset, name)]
    return _choose(found, _IMAGE_NAMES, "image", dataset, title)


def find_label_column(dataset: "Dataset", wanted: str | None, title: str) -> str:
    """The ClassLabel column with the most classes, else one of integers, else one of strings.

    Raises: UsageError, which lists the columns, if there is none, several, or not the wanted one.
    """
    if wanted is not None:
        _check_column(dataset, wanted, "label_column", title)
        if not (_names(dataset, wanted) or _is_integer(dataset, wanted) or _is_string(dataset, wanted)):
            raise UsageError(f"`label_column` {wanted}: {_typed(dataset, wanted)}, not of labels, in {title}")
        return wanted
    classes = {name: len(_names(dataset, name) or ()) for name in dataset.column_names}
    most = max(classes.values(), default=0)
    if most:
        tied = [name for name in classes if classes[name] == most]
        return min(tied, key=lambda name: _rank(name, _LABEL_NAMES))
    integers = [name for name in dataset.column_names if _is_integer(dataset, name)]
    if integers:
        return _choose(integers, _LABEL_NAMES, "label", dataset, title)
    # a lone string column may be a caption or a file name, so only the usual names count
    strings = [name for name in dataset.column_names if _is_string(dataset, name) and name in _LABEL_NAMES]
    return _choose(strings, _LABEL_NAMES, "label", dataset, title)


def read_labels(
    dataset: "Dataset", column: str, class_names: list[str] | None, title: str
) -> tuple[np.ndarray, list[str]]:
    """Integer labels [n] and the class names: declared ones, else `class_names`, else made from the values.

    Raises: UsageError, which names the first row without a label or with one outside the classes.
    """
    import pyarrow.compute as pc

    values = dataset.data.column(column)
    if values.null_count:
        raise UsageError(f"no label in row {pc.index(values.is_null(), True).as_py()} of {title}")
    declared = _names(dataset, column)
    if _is_string(dataset, column):
        names = class_names or sorted(pc.unique(values).to_pylist())
        return _indices_of(values, names, title), names
    labels = values.to_numpy().astype(np.int64)
    names = declared or class_names or _numbered(labels, column, title)
    _check_range(labels, names, title)
    return labels, names


def _indices_of(values: Any, names: list[str], title: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    indices = pc.index_in(values, value_set=pa.array(names, type=values.type))
    if indices.null_count:
        row = pc.index(indices.is_null(), True).as_py()
        raise UsageError(f"label {values[row].as_py()!r} of row {row} of {title} is none of {shown(names)}")
    return indices.to_numpy().astype(np.int64)


def _numbered(labels: np.ndarray, column: str, title: str) -> list[str]:
    count = int(labels.max(initial=-1)) + 1
    if count > _MOST_CLASSES:
        raise UsageError(
            f"column {column} of {title} holds values up to {count - 1}: not class labels; "
            "name another with `label_column`"
        )
    return [str(label) for label in range(count)]


def _check_range(labels: np.ndarray, names: list[str], title: str) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(outside):
        row = outside[0]
        allowed = f"outside 0..{len(names) - 1} ({len(names)} classes)"
        unlabelled = "; a split without labels cannot be used" if labels[row] == -1 else ""
        raise UsageError(f"label {labels[row]} of row {row} of {title} is {allowed}{unlabelled}")


def _names(dataset: "Dataset", column: str) -> list[str] | None:
    import datasets

    kind = dataset.features[column]
    return list(kind.names) if isinstance(kind, datasets.ClassLabel) else None


def _type(dataset: "Dataset", column: str) -> Any:
    return dataset.data.schema.field(column).type


def _is_integer(dataset: "Dataset", column: str) -> bool:
    import pyarrow as pa

    return pa.types.is_integer(_type(dataset, column)) or pa.types.is_boolean(_type(dataset, column))


def _is_string(dataset: "Dataset", column: str) -> bool:
    import pyarrow as pa

    return pa.types.is_string(_type(dataset, column)) or pa.types.is_large_string(_type(dataset, column))


def _may_hold_images(dataset: "Dataset", column: str) -> bool:
    import pyarrow as pa

    kind = _type(dataset, column)
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _holds_images(dataset: "Dataset", column: str) -> bool:
    """Whether the first cell that is not empty is a picture."""
    if not _may_hold_images(dataset, column):
        return False
    cells = dataset.data.column(column).drop_null()
    cell = cells[0].as_py() if len(cells) else None
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    try:
        decode_image(data or b"", lambda: "")
    except UsageError:
        return False
    return True


def _check_column(dataset: "Dataset", column: str, option: str, title: str) -> None:
    if column not in dataset.column_names:
        raise UsageError(f"`{option}` {column}: no such column in {title}; it has {_columns(dataset)}")


def _choose(found: list[str], usual: tuple[str, ...], what: str, dataset: "Dataset", title: str) -> str:
    """The only column found, else the one with the most usual name."""
    if not found:
        raise UsageError(f"no {what} column in {title}; it has {_columns(dataset)}")
    best = min(found, key=lambda name: _rank(name, usual))
    if len(found) > 1 and best not in usual:
        raise UsageError(f"{title}: which column is the {what}? Name one of {shown(found)} (`{what}_column`)")
    return best


def _rank(name: str, usual: tuple[str, ...]) -> int:
    return usual.index(name) if name in usual else len(usual)


def _typed(dataset: "Dataset", column: str) -> str:
    return f"a column of type {_type(dataset, column)}"


def _columns(dataset: "Dataset") -> str:
    return shown([f"{name} ({_type(dataset, name)})" for name in dataset.column_names])


def shown(names: list[str], most: int = 12) -> str:
    """Names on one line, the first few of many."""
    more = f" ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
