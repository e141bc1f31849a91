"""A lock on a run's directory, so that only one process at a time writes to it."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import UsageError

logger = logging.getLogger(__name__)

NAME = ".lock"

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}

_held: set[int] = set()
"""Open lock files of this process."""


def _close_in_child() -> None:
    """Close the locks in a forked process, such as a DataLoader worker, which may outlive the run."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


class RunLock:
    """`with RunLock() as lock: lock.take(directory)` locks a run's directory until the end of the block.

    The lock is the operating system's (flock on the file `.lock`) and ends with the process that holds it,
    however that ends: a file left by a killed process locks nothing. It works between processes of one
    machine, and between machines if the file system supports flock, as NFS on Linux does; if it does not, a
    warning says so. Of the processes of one run only the main one takes it.
    """

    def __init__(self) -> None:
        self._handle: int | None = None
        self._path = Path()

    def take(self, directory: Path) -> bool:
        """Lock a directory; returns whether this lock did not hold it before.

        Raises:
            UsageError: another process has it, or the directory cannot be written to.
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

    def wait(self, path: Path) -> None:
        """Lock with a file of this path, once no other process does; raises OSError if it cannot be made."""
        while not self._try(path, 0):
            pass

    def _try(self, path: Path, mode: int = fcntl.LOCK_NB) -> bool:
        """Lock the file; returns False if its owner deleted it meanwhile."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | mode)
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


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Let one process at a time read and rewrite a file; others wait at the beginning of the block.

    Raises:
        OSError: nothing can be written next to the file.
    """
    with RunLock() as lock:
        lock.wait(file.with_name(f"{NAME}-{file.name}"))
        yield


def _is(handle: int, path: Path) -> bool:
    """Return whether an open file is the one at this path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """Return the process named in the file, in brackets."""
    try:
        who = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return f" ({who})" if who else ""
