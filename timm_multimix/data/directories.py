"""Class directories and the image files below them; files of systems and tools are ignored.

Directories of runs, which contain images, and directories with nothing but runs, such as `runs/`, are
ignored, too.
"""

import os
from pathlib import Path

from ..errors import UsageError, one_line
from ..records.reader import is_run
from .images import picture_endings

_FOREIGN = frozenset(
    {
        "__macosx",
        "__pycache__",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "lost+found",
        "recycler",
        "system volume information",
    }
)
"""Directories of systems and network storage, in lower case; those with a leading dot are hidden anyway."""
_OF_RUNS = ("train.log", "checkpoints", "summary.json")


def is_foreign(name: str) -> bool:
    """Whether a directory or file is hidden or a system's own, and so no part of the data."""
    return name.startswith(".") or name.lower() in _FOREIGN


def directories(directory: Path) -> list[str]:
    """The names of the directories in another, sorted. Raises: UsageError if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and _is_data(Path(entry)))
    except OSError as error:
        raise _unreadable(error) from error


def _is_data(directory: Path) -> bool:
    return not (is_foreign(directory.name) or _is_run(directory) or _holds_only_runs(directory))


def _is_run(directory: Path) -> bool:
    """Whether a directory is a run, finished or not; a config.yaml alone may lie among a class's images."""
    return is_run(directory) and any(os.path.exists(directory / name) for name in _OF_RUNS)


def _holds_only_runs(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            seen = (_is_run(Path(entry)) for entry in entries if not is_foreign(entry.name))
            return next(seen, False) and all(seen)
    except OSError:  # reported where it is read
        return False


def pictures_below(directory: Path, name: str) -> list[str]:
    """Image files at any depth below a directory `name` of another, relative to that other, sorted.

    A directory is entered once only, so that links cannot lead in circles.
    Raises: UsageError for a directory that cannot be read.
    """
    found, seen = [], {os.path.realpath(directory / name)}
    for place, inner, files in os.walk(directory / name, followlinks=True, onerror=_stop):
        inner[:] = [one for one in sorted(inner) if _is_data(Path(place, one))]
        real = {one: os.path.realpath(os.path.join(place, one)) for one in inner}
        inner[:] = [one for one in inner if real[one] not in seen]
        seen |= {real[one] for one in inner}
        inside = os.path.relpath(place, directory)
        found += [os.path.join(inside, file) for file in files if _is_picture(file)]
    return sorted(found)


def holds_class_directories(directory: Path) -> bool:
    """Whether there is a directory with an image file at any depth."""
    return any(_holds_image(directory / name) for name in directories(directory))


def holds_images_itself(directory: Path) -> bool:
    """Whether there is an image file directly in a directory."""
    try:
        with os.scandir(directory) as entries:
            return any(_is_picture(entry.name) and entry.is_file() for entry in entries)
    except OSError as error:
        raise _unreadable(error) from error


def _holds_image(directory: Path) -> bool:
    """Whether there is an image file; mostly decided by the first file."""
    return holds_images_itself(directory) or bool(pictures_below(directory, "."))


def _is_picture(file: str) -> bool:
    return not is_foreign(file) and os.path.splitext(file)[1].lower() in picture_endings()


def _stop(error: OSError) -> None:
    raise _unreadable(error)


def _unreadable(error: OSError) -> UsageError:
    return UsageError(f"directory {error.filename} cannot be read: {error.strerror or one_line(error)}")
