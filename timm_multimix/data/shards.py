"""Files that hold many samples each: parquet tables, and the tar archives of WebDataset."""

import glob
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .columns import shown
from .directories import directories, holds_class_directories, holds_images_itself
from .hub import reading
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, WHOLE, name_splits, split_word

if TYPE_CHECKING:
    from datasets import Dataset

BUILDERS = {".parquet": "parquet", ".tar": "webdataset"}
"""By the ending of a file's name, the format as `datasets` calls it."""

_ROLES = (frozenset(TRAIN_NAMES), frozenset(EVALUATION_NAMES))
_SPLITS = frozenset().union(*_ROLES)


@dataclass(frozen=True)
class Shards:
    """Files of one format in one place, by split."""

    root: Path
    splits: dict[str, list[Path]]

    @classmethod
    def of_file(cls, file: Path) -> "Shards":
        """One file, a split by the word for one in its name, else all there is."""
        return cls(file.parent, {split_word(file.stem) or WHOLE: [file]})

    @classmethod
    def grouped(cls, root: Path, pairs: list[tuple[str, Path]]) -> "Shards":
        """Files with the names of their splits."""
        splits: dict[str, list[Path]] = {}
        for split, file in pairs:
            splits.setdefault(split, []).append(file)
        return cls(root, splits)

    @property
    def roles(self) -> set[int]:
        """The roles, training (0) and evaluation (1), that have a split."""
        return _roles(self.splits)

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [file for files in self.splits.values() for file in files]

    @property
    def contents(self) -> dict[str, str]:
        """The content of each split, in words."""
        return {name: self._counted(files) for name, files in self.splits.items()}

    def loaders(
        self, dataset: str, load: Callable[[list[Path], str], "Dataset"]
    ) -> dict[str, Callable[[], "Dataset"]]:
        """Return the loader of each split of a dataset: `load` with its files and its title."""
        return {
            name: partial(load, files, f"split '{name}' of {dataset}") for name, files in self.splits.items()
        }

    def __str__(self) -> str:
        return self._counted(self.files)

    def _counted(self, files: list[Path]) -> str:
        names = [str(file.relative_to(self.root)) for file in files]
        noun = f"{files[0].suffix[1:]} file" + ("s" if len(files) > 1 else "")
        return f"{len(files)} {noun}: {shown(names, 3)}" if len(files) > 1 else f"1 {noun}: {names[0]}"


@dataclass(frozen=True)
class Contents:
    """The content of a directory: shards, or class directories by split (None); and what was left out."""

    shards: Shards | None
    notes: list[str]


def look_into(root: Path) -> Contents:
    """Content of a directory. Class directories with images take precedence over files next to them.

    Raises: UsageError if either could be meant.
    """
    groups = find_shards(root)
    if not groups:
        return Contents(None, [])
    if by_class := is_class_directories(root) or _split_directories(root):
        for group in groups:
            _check_covered(by_class, group, root)
        return Contents(None, [_left_out(root, "class directories", group) for group in groups])
    chosen = _with_splits(groups, root)
    kept = f"the splits {shown(list(chosen.splits))}"
    return Contents(chosen, [_left_out(root, kept, group) for group in groups if group is not chosen])


def _with_splits(groups: list[Shards], root: Path) -> Shards:
    """Return the only shards, or the only ones with usual split names. Raises: UsageError for several."""
    complete = [group for group in groups if _roles(group.splits)] if len(groups) > 1 else groups
    if len(complete) != 1:
        found = "; ".join(str(group) for group in groups)
        raise UsageError(f"'{root}' holds several kinds of data ({found}); keep one of them there")
    return complete[0]


def is_class_directories(root: Path) -> list[str]:
    """The class directories of data without splits; none where directories are splits or hold no images.

    Directories called like splits are classes only beside others, and if they have no class directories.
    """
    holding = [name for name in directories(root) if holds_images_itself(root / name)]
    if all(name.lower() in _SPLITS for name in holding):
        return []
    return [] if any(name.lower() in _SPLITS for name in _split_directories(root)) else holding


def class_directories_by_role(root: Path) -> tuple[list[str], set[int]]:
    """The class directories, or the splits of them, in a directory, and the roles of those splits."""
    by_split = _split_directories(root)
    return is_class_directories(root) or by_split, _roles(by_split)


def _split_directories(root: Path) -> list[str]:
    """The directories of class directories in another."""
    return [name for name in directories(root) if holds_class_directories(root / name)]


def _check_covered(by_class: list[str], group: Shards, root: Path) -> None:
    """Raises: UsageError if shards are a training or an evaluation split that class directories lack."""
    if missing := _roles(group.splits) - _roles(by_class):
        role = "training" if 0 in missing else "evaluation"
        raise UsageError(
            f"'{root}' holds class directories ({shown(by_class)}), which hide the files of the {role} split "
            f"({group}): keep one kind of data there"
        )


def _roles(splits: "list[str] | dict[str, list[Path]]") -> set[int]:
    return {role for role, names in enumerate(_ROLES) if any(split.lower() in names for split in splits)}


def _left_out(root: Path, kept: str, group: Shards) -> str:
    return f"'{root}': {kept} are read; left out next to them: {group}"


def find_shards(root: Path) -> list[Shards]:
    """Shards by format and place: `train-*.tar`, `train.parquet` (also in `data/`), or `train/*.tar`."""
    found = []
    for ending in BUILDERS:
        for directory in (root, root / "data"):
            found += [_files_by_split(directory, ending), _files_in_splits(directory, ending, root / "data")]
    return [Shards.grouped(root, pairs) for pairs in found if pairs]


def _files_by_split(directory: Path, ending: str) -> list[tuple[str, Path]]:
    files = sorted(directory.glob("*" + ending))
    names = name_splits(file.name.removesuffix(ending) for file in files)
    return [(names[file.name.removesuffix(ending)], file) for file in files]


def _files_in_splits(directory: Path, ending: str, other: Path) -> list[tuple[str, Path]]:
    """The files of a directory for each split; `other` is none."""
    below = [directory / name for name in (directories(directory) if directory.is_dir() else [])]
    files = [file for place in below if place != other for file in place.glob("*" + ending)]
    return [(file.parent.name, file) for file in sorted(files)]


def load_shards(files: list[Path], title: str) -> "Dataset":
    """The samples as one memory-mapped table (an Arrow copy is kept in the cache of `datasets`).

    Raises: UsageError if they cannot be read.
    """
    import datasets

    with reading(title):
        check_columns(files)
        if not any(count_samples(file) for file in files):
            raise ValueError("no rows")
        return datasets.load_dataset(builder_of(files), data_files=patterns(files), split="train")


def check_columns(files: list[Path]) -> None:
    """Raises: ValueError if parquet files of one split have different columns."""
    if files[0].suffix != ".parquet":
        return
    from pyarrow import parquet

    first: list[str] | None = None
    for file in files:
        columns = sorted(parquet.read_schema(file).names)
        first = columns if first is None else first
        if columns != first:
            raise ValueError(
                f"columns differ: {files[0].name} has {shown(first)}, {file.name} has {shown(columns)}"
            )


def count_samples(file: Path) -> int:
    """Samples in a file, from the headers alone."""
    if file.suffix == ".parquet":
        from pyarrow import parquet

        return int(parquet.read_metadata(file).num_rows)
    with tarfile.open(file, "r:") as archive:
        return len({_key(member.name) for member in archive if member.isfile()} - {""})


def _key(name: str) -> str:
    """Return the common part of the names of a sample's files: up to the first dot after the directory."""
    directory, _, file = name.rpartition("/")
    stem = file.partition(".")[0]
    return f"{directory}/{stem}" if stem else ""


def builder_of(files: list[Path]) -> str:
    """The format of files, as `datasets` calls it."""
    return BUILDERS[files[0].suffix]


def patterns(files: list[Path]) -> list[str]:
    """Escape file names, which `datasets` takes for patterns."""
    return [glob.escape(str(file)) for file in files]
