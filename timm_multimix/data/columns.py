"""Selection of the columns of images and labels in a table: by name first, then by type; no guessing."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .images import is_image, picture_endings

if TYPE_CHECKING:
    from datasets import Dataset

_IMAGE_NAMES = (
    *("image", "img", "images", "picture", "photo", "image_path", "img_path", "image_file", "file_name"),
    *("filename", "filepath", "file_path", "path", "file"),
)
_LABEL_NAMES = ("label", "labels", "class", "target", "targets", "fine_label", "category", "classes", "cls")
"""Usual names in lower case, the most usual first."""

_LABEL_WORDS = frozenset({"label", "class", "target", "category"})
_NUMBERING_WORDS = frozenset({"id", "idx", "index", "name", "code"})
_ROW_WORDS = frozenset(
    {"id", "idx", "index", "row", "fold", "split", "subset", "partition", "group", "file", "filename", "path"}
)
"""Last words of the names of columns that say which row this is, whatever their type."""

_CELLS_TO_LOOK_AT = 64


def find_image_column(dataset: "Dataset", wanted: str | None, title: str) -> str:
    """Return the column of images: by the most usual name, else the only column of images.

    Columns of texts are searched for paths if no other column may hold images.

    Raises: UsageError, which lists the columns, if there is none, several, or not the wanted one.
    """
    if wanted is not None:
        _check_image_column(dataset, wanted, title)
        return wanted
    possible = [name for name in dataset.column_names if _may_hold_images(dataset, name)]
    holding = [name for name in possible if _holds_images(dataset, name)]
    if not possible:
        possible = holding = [name for name in dataset.column_names if _holds_paths(dataset, name)]
    named = _usual(possible, _IMAGE_NAMES)
    # where no cell looked at is an image, the name alone tells; reading says what is wrong with the images
    found = [name for name in named if name in holding or not holding]
    if found or (len(holding) == 1 and not named):
        return (found or holding)[0]
    raise _doubt("image", dataset, title, several=bool(holding))


def _check_image_column(dataset: "Dataset", column: str, title: str) -> None:
    _check_column(dataset, column, "image_column", title)
    if not (_may_hold_images(dataset, column) or is_text(value_type(_type(dataset, column)))):
        raise UsageError(f"`image_column` {column}: {_typed(dataset, column)} in {title}, not of images")


def find_label_column(dataset: "Dataset", wanted: str | None, title: str) -> str:
    """Return the column of labels: by the most usual name, else the only one by type or end of name.

    Of columns without a usual name, only one that `datasets` types as class labels, or whose name ends in a
    word for it, may be chosen; numbers and texts may be anything. Booleans, floats and lists need a usual
    name and no rival.

    Raises: UsageError, which lists the columns, if there is none, several, or not the wanted one.
    """
    if wanted is not None:
        for column in label_columns(dataset, wanted):
            _check_label_column(dataset, column, title)
        return wanted
    possible = [name for name in dataset.column_names if _may_hold_labels(dataset, name)]
    likely = [name for name in possible if _is_about_labels(dataset, name)]
    others = [name for name in dataset.column_names if _needs_name(dataset, name)]
    if found := _usual(possible, _LABEL_NAMES):
        return found[0]
    if not likely:
        likely = _usual(others, _LABEL_NAMES)
    if len(likely) == 1:
        return likely[0]
    raise _doubt("label", dataset, title, several=bool(likely))


def _check_label_column(dataset: "Dataset", column: str, title: str) -> None:
    _check_column(dataset, column, "label_column", title)
    if not (_may_hold_labels(dataset, column) or _needs_name(dataset, column)):
        raise UsageError(f"`label_column` {column}: {_typed(dataset, column)}, not of labels, in {title}")


def label_columns(dataset: "Dataset", wanted: str) -> list[str]:
    """Return the columns of a name: itself, or several separated by commas, as in timm's --target-key."""
    if wanted in dataset.column_names:
        return [wanted]
    return [name.strip() for name in wanted.split(",")]


def _usual(names: list[str], usual: tuple[str, ...]) -> list[str]:
    """Return the column with the most usual of these names; none if two differ only in capitals."""
    ranks = {name: usual.index(name.lower()) for name in names if name.lower() in usual}
    best = [name for name in ranks if ranks[name] == min(ranks.values())]
    exact = [name for name in best if name in usual]
    return exact or (best if len(best) == 1 else [])


def _is_about_labels(dataset: "Dataset", column: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", column)]
    if len(words) > 1 and words[-1] in _NUMBERING_WORDS and words[-2] in _LABEL_WORDS:
        return True
    last = words[-1] if words else ""
    return last in _LABEL_WORDS or (class_names(dataset, column) is not None and last not in _ROW_WORDS)


def class_names(dataset: "Dataset", column: str) -> list[str] | None:
    """Return the names that `datasets` declares for a column of class labels; None for other columns."""
    import datasets

    kind = dataset.features[column]
    return list(kind.names) if isinstance(kind, datasets.ClassLabel) else None


def value_type(kind: Any) -> Any:
    """The Arrow type of a column's values; that of the entries, where they are numbers of a dictionary."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: Any) -> bool:
    """Whether values of an Arrow type are texts."""
    import pyarrow as pa

    return any(
        check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def is_list(kind: Any) -> bool:
    """Whether values of an Arrow type are lists of labels."""
    import pyarrow as pa

    return any(
        check(kind) for check in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


def _type(dataset: "Dataset", column: str) -> Any:
    return dataset.data.schema.field(column).type


def _may_hold_labels(dataset: "Dataset", column: str) -> bool:
    import pyarrow as pa

    kind = value_type(_type(dataset, column))
    return bool(pa.types.is_integer(kind)) or is_text(kind)


def _needs_name(dataset: "Dataset", column: str) -> bool:
    """Whether values may be labels, but seldom are: booleans, floats and lists."""
    import pyarrow as pa

    kind = value_type(_type(dataset, column))
    return bool(pa.types.is_boolean(kind) or pa.types.is_floating(kind) or is_list(kind))


def _may_hold_images(dataset: "Dataset", column: str) -> bool:
    import pyarrow as pa

    kind = _type(dataset, column)
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return any(
        check(kind) for check in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    )


def _holds_images(dataset: "Dataset", column: str) -> bool:
    """Whether a column has the type of images, or a sample of its cells has the first bytes of an image."""
    import datasets

    if isinstance(dataset.features[column], datasets.Image):
        return True
    return any(_is_image_cell(cell) for cell in _some_cells(dataset, column))


def _holds_paths(dataset: "Dataset", column: str) -> bool:
    """Whether a sample of a column of texts has the name of an image file."""
    if not is_text(_type(dataset, column)):
        return False
    endings = tuple(picture_endings())
    return any(cell is not None and cell.lower().endswith(endings) for cell in _some_cells(dataset, column))


def _some_cells(dataset: "Dataset", column: str) -> Iterator[Any]:
    """Return a sample of cells from the whole column."""
    cells, count = dataset.data.column(column), len(dataset)
    places = {count * part // _CELLS_TO_LOOK_AT for part in range(_CELLS_TO_LOOK_AT)}
    return (cells[place].as_py() for place in sorted(places) if place < count)


def _is_image_cell(cell: Any) -> bool:
    data = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
    return data is not None and is_image(data)


def _check_column(dataset: "Dataset", column: str, option: str, title: str) -> None:
    if column not in dataset.column_names:
        raise UsageError(f"`{option}` {column}: no such column in {title}; it has {_columns(dataset)}")


def _doubt(what: str, dataset: "Dataset", title: str, several: bool) -> UsageError:
    columns = _columns(dataset)
    if several:
        return UsageError(
            f"which column of {title} is the {what}? It has {columns}: name one with `{what}_column`"
        )
    return UsageError(
        f"no {what} column in {title} by name or type; it has {columns}: name one with `{what}_column`"
    )


def _typed(dataset: "Dataset", column: str) -> str:
    return f"a column of type {_type(dataset, column)}"


def _columns(dataset: "Dataset") -> str:
    return shown([f"{name} ({_type(dataset, name)})" for name in dataset.column_names])


def shown(names: Sequence[str], most: int = 12) -> str:
    """Names on one line, the first few of many."""
    more = f" ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
