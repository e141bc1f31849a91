"""Atomic writes: a reader, or a run killed at any moment, never sees a half-written file."""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import LONGEST, UsageError, one_line

_REPLACED = ".tmp-replaced-"
"""The prefix of a directory that is whole, until the one that replaces it has its name."""


def sync(path: Path) -> None:
    """Flush a file or a directory's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file's path, whose file takes the place of `path`; after an error it is deleted."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except Exception:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: a temporary file next to it, then a rename."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_writable(path: Path) -> None:
    """Check that a file can be written, as far as creating a temporary one next to it tells.

    Raises:
        OSError: it cannot.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    temporary = path.with_name(f".tmp-{path.name}")
    temporary.touch()
    temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> str:
    """Return the message for a file that could not be written."""
    return f"cannot write {path}: {error.strerror or one_line(error)}"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")  # keeps the line endings
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is damaged: it is not UTF-8 text") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; no file that this package writes holds an empty one.

    Raises:
        UsageError: it cannot be read, or holds anything else.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is damaged: it is not JSON ({one_line(error, LONGEST)})") from None
    if not isinstance(content, dict) or not content:
        found = "an empty object" if content == {} else f"a {type(content).__name__}"
        raise UsageError(f"{path} is damaged: expected a JSON object, got {found}")
    return content


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def delete(path: Path) -> None:
    """Delete a file or a directory, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_directory(directory: Path) -> None:
    """Delete a directory; it is renamed first, so that a half-deleted one is never taken for intact."""
    if directory.exists():
        shutil.rmtree(_set_aside(directory, ".tmp-old-"))


def _set_aside(directory: Path, prefix: str) -> Path:
    """Give a directory a temporary name, which it returns."""
    aside = directory.with_name(prefix + directory.name)
    shutil.rmtree(aside, ignore_errors=True)
    if directory.exists():
        os.replace(directory, aside)
    return aside


def publish_directory(temporary: Path, directory: Path) -> None:
    """Move a finished temporary directory to its name, replacing an older one, which is deleted last."""
    for path in temporary.iterdir():
        sync(path)
    sync(temporary)
    replaced = _set_aside(directory, _REPLACED)
    os.replace(temporary, directory)
    sync(directory.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def tidy(parent: Path) -> None:
    """Delete temporary files of a killed process; what was being replaced gets its name back."""
    for replaced in parent.glob(f"{_REPLACED}*"):
        directory = replaced.with_name(replaced.name.removeprefix(_REPLACED))
        if not directory.exists():
            os.replace(replaced, directory)
    for leftover in parent.glob(".tmp-*"):
        delete(leftover)


def fresh_directory(directory: Path) -> Path:
    """Create an empty directory to write into before `publish_directory(it, directory)`."""
    temporary = directory.with_name(f".tmp-new-{directory.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    return temporary


def finite(value: Any) -> Any:
    """Replace numbers that are not finite by None, which JSON can hold, in nested dicts and lists."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
