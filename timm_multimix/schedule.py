"""Schedules of mixing: windows in fractions of training, each steady or in cycles of on and off.

SamplePairing's own schedule (off, then 8 epochs on and 2 off in cycles, then off; arXiv:1801.02929) is
`0.1-0.8:0.008/0.002` for its 1000 epochs.
"""

import re
from dataclasses import dataclass

from .errors import UsageError, quoted

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_WINDOW = re.compile(rf"\s*{_NUMBER}\s*-\s*{_NUMBER}\s*(?::\s*{_NUMBER}\s*/\s*{_NUMBER}\s*)?")


@dataclass(frozen=True)
class Window:
    """A window from start to stop, with cycles of `on` and `off`; all in fractions of training."""

    start: float
    stop: float
    on: float = 1.0
    off: float = 0.0

    def __str__(self) -> str:
        cycle = f":{self.on:g}/{self.off:g}" if self.off else ""
        return f"{self.start:g}-{self.stop:g}{cycle}"

    def active(self, progress: float) -> bool:
        if not self.start <= progress < self.stop:
            return False
        # Fractions are rarely exact in binary: without the margin the first step of a phase may be before it.
        within = (progress - self.start + 1e-9) % (self.on + self.off)
        return self.off == 0 or within < self.on


@dataclass(frozen=True)
class MixSchedule:
    """A schedule: mixing is on inside any of the windows."""

    windows: tuple[Window, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.windows))

    def active(self, progress: float) -> bool:
        """Return whether to mix at `progress`, from 0 (first step) to below 1."""
        return any(window.active(progress) for window in self.windows)


def parse_schedule(text: str) -> MixSchedule:
    """Parse a schedule: `START-STOP` windows, separated by commas, each with an optional `:ON/OFF` cycle.

    Raises:
        UsageError: not such a text, or fractions outside 0 to 1 or out of order.
    """
    return MixSchedule(tuple(_parse_window(part) for part in text.split(",")))


def _parse_window(text: str) -> Window:
    match, given = _WINDOW.fullmatch(text), quoted(text.strip())
    allowed = "START-STOP or START-STOP:ON/OFF in fractions of training, such as 0.1-0.8:0.008/0.002"
    if match is None:
        raise UsageError(f"mix schedule must be {allowed}, got {given}")
    window = Window(*(float(number) for number in match.groups() if number is not None))
    if not 0 <= window.start < window.stop <= 1 or not 0 < window.on <= 1 or window.off > 1:
        raise UsageError(f"mix schedule must be {allowed}, in order and within 0 to 1, got {given}")
    return window
