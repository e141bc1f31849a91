"""Training that records its phase in the file $MARKS, for tests that kill it in a phase."""

import importlib
import mmap
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

PHASES = ("start", "step", "checkpoint", "evaluation", "upload")
"""The marks. An upload runs at the same time as other phases, so it has a mark of its own."""

SIZE = 64


class Marks:
    """A file of bytes: the phase of the main thread, whether an upload runs, how often each phase began."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SIZE))
        with path.open("r+b") as stream:
            self.bytes = mmap.mmap(stream.fileno(), SIZE)

    def clear(self) -> None:
        self.bytes[:] = bytes(SIZE)

    def begin(self, phase: str) -> None:
        number = PHASES.index(phase)
        self.bytes[1 if phase == "upload" else 0] = 1 if phase == "upload" else number
        self.bytes[8 + number] = min(255, self.bytes[8 + number] + 1)

    def end(self, phase: str) -> None:
        self.bytes[1 if phase == "upload" else 0] = 0

    def now(self) -> str:
        """The phase at this moment; `start` also for what lies between the phases."""
        return "upload" if self.bytes[1] else PHASES[self.bytes[0]]

    def inside(self, phase: str) -> bool:
        return bool(self.bytes[1]) if phase == "upload" else self.bytes[0] == PHASES.index(phase)

    def count(self, phase: str) -> int:
        """How often a phase has begun."""
        return self.bytes[8 + PHASES.index(phase)]

    def around(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def marked(*arguments: Any, **options: Any) -> Any:
            self.begin(phase)
            try:
                return function(*arguments, **options)
            finally:
                self.end(phase)

        return marked


def mark(marks: Marks) -> None:
    """Wrap the functions of each phase, so that they write marks."""
    for module, name, phase in (
        ("training.loop", "accumulate", "step"),
        ("training.loop", "update", "step"),
        ("training.run", "save_checkpoint", "checkpoint"),
        ("training.run", "evaluate", "evaluation"),
        ("hub.upload", "publish", "upload"),
    ):
        place = importlib.import_module(f"timm_multimix.{module}")
        setattr(place, name, marks.around(phase, getattr(place, name)))


if __name__ == "__main__":
    from timm_multimix.cli import main

    if os.environ.get("RANK", "0") == "0":
        mark(Marks(Path(os.environ["MARKS"])))
    sys.exit(main(["train", *sys.argv[1:]]))
