"""How many inputs are tried, how long one may take, and what none of them may do.

MULTIMIX_FUZZ=20 tries twenty times as many, by chance instead of the same ones every time.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings

from timm_multimix.errors import UsageError

T = TypeVar("T")

TIMES = float(os.environ.get("MULTIMIX_FUZZ", "1"))
SECONDS = 10.0

INPUTS = {
    "spec texts": 1200,
    "changed specs": 1200,
    "built specs": 800,
    "schedules": 800,
    "training options": 1200,
    "options of other commands": 600,
    "config texts": 1000,
    "config values": 700,
    "escaped texts": 1000,
    "cards": 150,
    "run directories": 400,
    "pictures": 1200,
    "headers": 300,
    "dataset directories": 60,
}
"""How many inputs of each kind are tried by default."""


def effort(kind: str) -> settings:
    """The settings of a property that is tried on the inputs of a kind."""
    return settings(
        max_examples=int(INPUTS[kind] * TIMES),
        derandomize=TIMES <= 1,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # the inputs are short as they are
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def tries(kind: str) -> Callable[[Any], Any]:
    """Make a property a test that is tried on the inputs of a kind, and that is slow."""
    return lambda test: pytest.mark.slow(effort(kind)(test))


class TooLong(BaseException):
    """Not an Exception, so that tested code cannot catch it as an error of its own."""


class Forbidden(BaseException):
    """Code that was run, or a file that was changed, for an input."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Stops what takes longer."""

    def stop(number: int, frame: Any) -> None:
        raise TooLong(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_RUNS_CODE = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen")
_RUNS_CODE += ("pty.spawn", "socket.connect", "pickle.find_class", "ctypes.dlopen")
_CHANGES_FILES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_watching: list[list[str]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    wrote = event == "open" and isinstance(args[2], int) and args[2] & _WRITING
    ran = event == "exec" and isinstance(args[0], CodeType) and args[0].co_filename == "<string>"
    if wrote or ran or event in _RUNS_CODE or event in _CHANGES_FILES:
        _watching[-1].append(f"{event} {args!r}")


sys.addaudithook(_audit)


@contextmanager
def harmless() -> Iterator[None]:
    """Raises if a program or evaluated text is run, a connection is made or a file is written meanwhile."""
    seen: list[str] = []
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of a module first imported here
    _watching.append(seen)
    try:
        yield
    finally:
        _watching.pop()
        sys.dont_write_bytecode = bytecode
    if seen:
        raise Forbidden("; ".join(seen))


def value_or_refusal(call: Callable[[], T]) -> T | None:
    """Return the result of `call`, or None for a UsageError; other exceptions are raised."""
    refusal: str | None = None
    with within(SECONDS), harmless():
        try:
            return call()
        except UsageError as error:
            refusal = str(error)
        except SystemExit as end:
            if end.code not in (0, 2):
                raise
    assert refusal is None or len(refusal) < 2_000, "an endless message"
    return None


def names(directory: Path) -> set[str]:
    """All that is below a directory, without following links."""
    return {
        os.path.join(place, name) for place, *inside in os.walk(directory) for one in inside for name in one
    }
