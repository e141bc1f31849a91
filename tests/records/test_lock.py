"""A run's directory can be locked by one process only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from timm_multimix.errors import UsageError
from timm_multimix.records.lock import NAME, RunLock

HOLD = """
import os, sys, time
from pathlib import Path
from timm_multimix.records.lock import RunLock
with RunLock() as lock:
    lock.take(Path(sys.argv[1]))
    child = None
    if sys.argv[2:]:
        ready, begun = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(begun, b".")
            time.sleep(100)
            os._exit(0)
        os.read(ready, 1)  # the child has let go of what it was not to keep
    print("taken", child, flush=True)
    sys.stdin.read()
"""


def hold(directory: Path, *more: str) -> subprocess.Popen[str]:
    """A process that has the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    return process


def wait_until(process: subprocess.Popen[str], word: str) -> str:
    """The rest of the line that begins with a word."""
    assert process.stdout is not None
    return next(line for line in process.stdout if line.startswith(word)).removeprefix(word).strip()


def test_a_second_process_is_refused_and_then_let_in(tmp_path: Path) -> None:
    process = hold(tmp_path)
    wait_until(process, "taken")
    with RunLock() as lock:
        with pytest.raises(
            UsageError, match=rf"another process \({process.pid} on .*\) is at work in"
        ) as caught:
            lock.take(tmp_path)
        assert "\n" not in str(caught.value)
        assert process.communicate("")[0] == ""
        assert lock.take(tmp_path)
        assert not lock.take(tmp_path)  # it has it
    assert not list(tmp_path.iterdir())


def test_a_lock_of_a_killed_process_locks_nothing(tmp_path: Path) -> None:
    """Its file is there, and so is a process that it had forked."""
    process = hold(tmp_path, "fork")
    child = int(wait_until(process, "taken"))
    try:
        process.kill()
        process.wait()
        assert (tmp_path / NAME).read_text().startswith(f"{process.pid} on ")
        with RunLock() as lock:
            assert lock.take(tmp_path)
            os.kill(child, 0)  # still alive
    finally:
        os.kill(child, 9)
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]


def test_in_one_process_as_well(tmp_path: Path) -> None:
    with RunLock() as first, RunLock() as second:
        first.take(tmp_path)
        with pytest.raises(UsageError, match="is at work in"):
            second.take(tmp_path)
    with RunLock() as third:
        assert third.take(tmp_path)


def test_a_file_that_was_replaced_is_no_lock(tmp_path: Path) -> None:
    """Deleting the file ends the lock; a later lock by another process stays."""
    with RunLock() as first:
        first.take(tmp_path)
        (tmp_path / NAME).unlink()
        second = RunLock()
        with second:
            assert second.take(tmp_path)
            first.__exit__(None, None, None)
            with RunLock() as third, pytest.raises(UsageError, match="is at work in"):
                third.take(tmp_path)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with RunLock() as lock, pytest.raises(UsageError, match=r"cannot lock .*file: Not a directory"):
        lock.take(tmp_path / "file")
