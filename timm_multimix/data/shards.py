"""Files that hold many samples each: parquet tables, and the tar archives of WebDataset."""

import glob
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from timm_multimix.data.hub import quiet_unless_terminal
from timm_multimix.data.images import one_line
from timm_multimix.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

BUILDERS = {".parquet": "parquet", ".tar": "webdataset"}
"""By the ending of a file's name, the format as `datasets` calls it."""


def find_shards(root: Path) -> dict[str, list[Path]]:
    """Files of one format by split: `train-*.tar`, `train.parquet` (also in `data/`), or `train/*.tar`."""
    for ending in BUILDERS:
        for folder in (root, root / "data"):
            if files := sorted(folder.glob("*" + ending)):
                return _grouped(files, lambda file: file.stem.split("-")[0])
        if files := sorted(root.glob("*/*" + ending)):
            return _grouped(files, lambda file: file.parent.name)
    return {}


def load_shards(files: list[Path], title: str) -> "Dataset":
    """The samples as one memory-mapped table (an Arrow copy is kept in the cache of `datasets`).

    Raises: UsageError if they cannot be read.
    """
    import datasets

    try:
        if not any(count_samples(file) for file in files):
            raise ValueError("no rows")
        with quiet_unless_terminal():
            return datasets.load_dataset(builder_of(files), data_files=patterns(files), split="train")
    except Exception as error:
        raise UsageError(f"{title} cannot be read: {one_line(error.__cause__ or error)}") from error


def count_samples(file: Path) -> int:
    """Samples in a file, from the headers alone."""
    if file.suffix == ".parquet":
        from pyarrow import parquet

        return int(parquet.read_metadata(file).num_rows)
    with tarfile.open(file, "r:") as archive:
        return len({_key(member.name) for member in archive if member.isfile()} - {""})


def _key(name: str) -> str:
    """What the files of one sample have in common: the name up to the first dot after the folder."""
    folder, _, file = name.rpartition("/")
    stem = file.partition(".")[0]
    return f"{folder}/{stem}" if stem else ""


def builder_of(files: list[Path]) -> str:
    """The format of files, as `datasets` calls it."""
    return BUILDERS[files[0].suffix]


def patterns(files: list[Path]) -> list[str]:
    """Files as `datasets` takes their names literally."""
    return [glob.escape(str(file)) for file in files]


def _grouped(files: list[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return groups
