"""Run trials as training processes, one after the other."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from ..errors import Interrupted
from .trials import Trial

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ADVICE = "the same command continues the comparison"


class Forward:
    """`with Forward() as forward:` forwards SIGTERM and SIGINT to the training process.

    That process saves a checkpoint and ends; then `check` raises Interrupted.
    """

    def __init__(self) -> None:
        self.number = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process, forwarding signals to it, and return its exit status."""
        self.process = process
        if self.number:
            process.send_signal(self.number)
        try:
            return process.wait()
        finally:
            self.process = None

    def check(self) -> None:
        """Raise Interrupted if a signal arrived."""
        if self.number:
            raise Interrupted(self.number, ADVICE)


def train(trial: Trial, forward: Forward) -> str | None:
    """Train a trial in a process of its own; returns why it failed, in one line, or None.

    The process appends to the trial's log. If a process of an earlier comparison still trains this run, it
    holds the lock of the run directory, and the new process ends at once.
    """
    trial.log.parent.mkdir(parents=True, exist_ok=True)
    with trial.log.open("ab") as stream:
        start = stream.tell()
        status = forward.wait(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "timm_multimix", "train", *trial.argv],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        )
    if status == 0 and trial.is_finished:
        return None
    return reason(trial.log, start, status)


def environment() -> dict[str, str]:
    """Return an environment in which `timm_multimix` is imported from where this process has it."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, known] if known else [root])}


def reason(log: Path, start: int, status: int) -> str:
    """Return why a process failed: its line `error: ...`, else its signal, else its last line."""
    with log.open("rb") as stream:
        stream.seek(start)
        lines = stream.read().decode("utf-8", "replace").replace("\r", "\n").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.startswith("error: ")]
    if errors:
        return errors[-1]
    if status < 0:
        return f"error: ended by {signal.Signals(-status).name}; see {log}, {ADVICE}"
    return f"error: ended with status {status}: {said[-1] if said else 'no word'}; see {log}"
