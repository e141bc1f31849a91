"""A run's directory is written by one process at a time."""

import errno
import fcntl
import logging
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import UsageError

logger = logging.getLogger(__name__)

NAME = ".lock"

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}

_held: set[int] = set()
"""Handles of this process's locks."""


def _close_in_child() -> None:
    """A process forked from this one, such as one that reads images, must not hold the lock after it."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


class RunLock:
    """`with RunLock() as lock: lock.take(directory)` keeps others out of a run until the block ends.

    The lock is the operating system's (flock on the file `.lock`), which ends with the process that holds it,
    whatever ended that: a file that a killed process left behind locks nothing. It holds between processes of
    one machine, and between machines where the file system passes flock on, as NFS on Linux does; where it
    has none, a warning says so. Of the processes of one run only the main one takes it.
    """

    def __init__(self) -> None:
        self._handle: int | None = None
        self._path = Path()

    def take(self, directory: Path) -> bool:
        """Lock a directory; gives whether it was not locked by this before.

        Raises:
            UsageError: another process has it, or nothing can be written there.
        """
        if self._handle is not None:
            return False
        path = directory / NAME
        try:
            while not self._try(path):
                pass
        except BlockingIOError:
            raise UsageError(
                f"another process{_holder(path)} is at work in {directory}; "
                "wait for it or end it, or choose another directory"
            ) from None
        except OSError as error:
            raise UsageError(f"cannot lock {directory}: {error.strerror}") from None
        return True

    def _try(self, path: Path) -> bool:
        """Lock the file; False if it was deleted meanwhile by the one who had it."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                os.close(handle)
                raise
            logger.warning(f"this file system has no locks: nothing keeps a second run out of {path.parent}")
        if not _is(handle, path):
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()} on {socket.gethostname()}\n".encode())
        self._handle, self._path = handle, path
        _held.add(handle)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is None or self._handle not in _held:
            return
        if _is(self._handle, self._path):
            self._path.unlink(missing_ok=True)
        _held.discard(self._handle)
        os.close(self._handle)
        self._handle = None


def _is(handle: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """Who wrote the file, in brackets."""
    try:
        who = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return f" ({who})" if who else ""
