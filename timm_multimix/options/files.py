"""Checks of the files that options name, before anything slow happens."""

import os
from pathlib import Path

from ..errors import UsageError


def check_parent(file: Path | None) -> None:
    """Raises: UsageError unless a file, if one is given, is in a directory that exists."""
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise UsageError(f"cannot write {file}: a file in a directory that exists is expected")


def check_writable(flag: str, file: Path, overwrite: bool) -> None:
    """Raises: UsageError unless a file can be written there."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"{flag} {file}: a file in a directory that exists is expected")
    if file.exists() and not overwrite:
        raise UsageError(f"{flag} {file} exists; give --overwrite to replace it")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise UsageError(f"{flag} {file}: it cannot be written")


def check_readable(flag: str, file: Path | None) -> None:
    """Raises: UsageError unless a file, if one is given, exists and can be read."""
    if file is not None and not file.is_file():
        raise UsageError(f"{flag} {file}: there is no such file")
    if file is not None and not os.access(file, os.R_OK):
        raise UsageError(f"{flag} {file}: it cannot be read")
