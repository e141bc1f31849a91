"""SIGTERM and SIGINT: the first ends a run after saving a checkpoint, a second one at once."""

import multiprocessing
import os
import select
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from ..errors import Interrupted

GRACE = 25.0
"""Seconds until a run must have reached a point where it can save: torchrun kills its processes after 30."""

_ONE = 0.5  # seconds in which signals count as one: `timeout`, for one, sends a process each of them twice
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupt:
    """`with Interrupt() as interrupt:` handles the signals of a run; `number` is the signal that arrived.

    Inside `deferred` a signal is only noted, elsewhere it raises Interrupted. A separate thread handles a
    second signal and the end of the grace period, even while the main thread waits in another library.
    """

    def __init__(self) -> None:
        self.number = 0
        self.advice = "training had not begun"
        self._deferred = self._saving = self._closed = False
        self._before: dict[signal.Signals, Any] = {}

    def advise(self, directory: Path, again: str = "") -> None:
        """Tell how to go on, should a signal arrive: from the run in a directory, with options `again`."""
        self.advice = f"resume with --resume auto --output {shlex.quote(str(directory))}{again}"

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note signals; raises Interrupted at the end if one arrived and nothing else was raised."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.number:
            raise self.error()

    @contextmanager
    def save(self) -> Iterator[None]:
        """Write a checkpoint, which the end of the grace period does not interrupt."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def error(self) -> Interrupted:
        """Return the exception that ends the run."""
        return Interrupted(self.number, self.advice)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self  # Python leaves signals to the main thread
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        wanted = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in wanted}
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._closed = True
        os.write(self._writer, b"\0")
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, number: int, frame: FrameType | None) -> None:
        first, self.number = not self.number, self.number or number
        if first and not self._deferred:
            raise self.error()

    def _watch(self) -> None:
        """Read the numbers of signals, which Python writes on arrival, whatever the main thread does."""
        first = end = float("inf")
        while not self._closed:
            wait = max(0.0, end - time.monotonic()) if end < float("inf") else None
            ready, now = select.select([self._reader], [], [], wait)[0], time.monotonic()
            came = [number for number in os.read(self._reader, 64) if number in _SIGNALS] if ready else []
            if came and first == float("inf"):
                first, end = now, now + GRACE
            elif came and now > first + _ONE:
                self._end(came[0], "at once by a second")
            elif now >= end:
                if not self._saving:
                    self._end(self.number or signal.SIGTERM, f"{GRACE:.0f} s after")
                end = now + 1

    def _end(self, number: int, how: str) -> None:
        name = signal.Signals(number).name
        line = f"ended {how} {name}, from the last checkpoint on: {self.advice}\n"
        os.write(2, line.encode())
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(128 + number)
