"""Tables of paths and labels: CSV, TSV, JSON lines, JSON and parquet files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...options.declaration import Trait
from ..collection import Tables
from ..columns import shown
from ..hub import reading
from ..request import Request
from ..shards import Shards, class_directories_by_role, look_into, patterns
from ..split_names import name_splits
from .declaration import TABLE, Kind

if TYPE_CHECKING:
    from datasets import Dataset

_CSV: dict[str, Any] = {"keep_default_na": False, "na_values": [""]}  # a class may be called "None" or "NA"
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".csv": ("csv", _CSV),
    ".tsv": ("csv", _CSV | {"sep": "\t"}),
    ".jsonl": ("json", {}),
    ".json": ("json", {}),
    ".parquet": ("parquet", {}),
}
"""By the ending of a file's name, the reader of `datasets` and its arguments."""

_IN_DIRECTORIES = (".csv", ".tsv", ".jsonl")  # a .json beside data is mostly not the data


def _matches(request: Request) -> bool:
    if request.file is not None:
        return request.file.suffix.lower() in _FORMATS
    return request.directory is not None and _find(request.directory) is not None


def _find(directory: Path) -> Shards | None:
    """The tables in a directory; none where it holds shards, or class directories of the same splits.

    Raises:
        UsageError: the images could be labelled by their directories as well as by a table.
    """
    files = sorted(
        file for file in directory.iterdir() if file.suffix.lower() in _IN_DIRECTORIES and file.is_file()
    )
    if not files or look_into(directory).shards is not None:
        return None
    splits = name_splits(file.stem for file in files)
    tables = Shards.grouped(directory, [(splits[file.stem], file) for file in files])
    names, roles = class_directories_by_role(directory)
    if len(names) > 1 and not tables.roles <= roles:
        raise UsageError(
            f"'{directory}' has class directories ({shown(names, 3)}) and tables ({tables}): name the table, "
            f"as `dataset` {files[0]}, or keep one of them there"
        )
    return None if len(names) > 1 else tables


def _open(request: Request) -> Tables:
    found = Shards.of_file(request.file) if request.file is not None else _find(request.path)
    assert found is not None
    return Tables(request, found.loaders(request.dataset, _load), shards=found)


def _load(files: list[Path], title: str) -> "Dataset":
    """The rows of files of one format. Raises: UsageError if they cannot be read."""
    import datasets

    builder, arguments = _FORMATS[files[0].suffix.lower()]
    with reading(title):
        return datasets.load_dataset(builder, data_files=patterns(files), split="train", **arguments)


KIND = Kind(
    title="Tables of paths and labels",
    form="FILE.csv, .tsv, .jsonl, .json or .parquet, or DIR",
    about="""\
A table with a row for each image, or a directory of `train.csv`, `val.csv` and so on. The column of the
images has their paths, relative to the table or to `--data-dir`. A table whose name has no word for a split
in it is called `all`. In a CSV an empty cell is no value; `NA` and `None` are texts.""",
    matches=_matches,
    open=_open,
    traits=TABLE | {Trait.DIRECTORY},
)
