"""Logging of this package and of its libraries, without tokens and passwords."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from .redaction import redact

LIBRARIES = ("accelerate", "datasets", "huggingface_hub", "timm")
"""Those that set a level of their own, which would hide what is asked for."""


PACKAGE = __name__.partition(".")[0]


class Redacting(logging.Formatter):
    """A formatter that removes tokens and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def start_logging(level: str) -> None:
    """Log what the libraries tell to stderr, from a level on: debug, info, warning or error.

    For commands: it replaces the handlers of the root logger and of the libraries.
    """
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.name.partition(".")[0] != PACKAGE)  # see `Console`
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(level.upper())
        library.handlers.clear()  # theirs redact nothing
        library.propagate = True


def set_level(level: str) -> None:
    """Let the libraries log from a level on, to the handlers that there are, which from now on redact."""
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(level.upper())
        for handler in library.handlers:
            handler.addFilter(_redacted)


def _redacted(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), None
    return True


class Console(logging.Handler):
    """Shows messages: plain ones on stdout, `warning: ...` and `error: ...` in one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one of a warning or an error in one line."""
        text = redact(record.getMessage())
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {' '.join(text.split())}"
        print(text, file=sys.stderr if record.levelno >= logging.WARNING else sys.stdout, flush=True)


def show_messages() -> None:
    """Show what this package logs, also plain messages; without this, Python shows warnings and errors."""
    package = logging.getLogger(PACKAGE)
    package.setLevel(logging.INFO)
    if not any(isinstance(handler, Console) for handler in package.handlers):
        package.addHandler(Console())


TO_FILE = logging.getLogger(f"{PACKAGE}.to_file")
"""For lines that go to the files of `kept_in` only, as a terminal shows the same in another form."""
TO_FILE.propagate = False
TO_FILE.setLevel(logging.INFO)
TO_FILE.addHandler(logging.NullHandler())


class _Lines(Redacting):
    """Writes each line of a message with the time, warnings and errors with their level."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        head = f"{self.formatTime(record)} {level}"
        return "\n".join(head + line for line in redact(record.getMessage()).splitlines())


class _LogFile(logging.FileHandler):
    """A log file that leaves it to what matters more to report a full disk."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on."""


@contextmanager
def own_warnings_logged(*, shown: bool) -> Iterator[None]:
    """Log what this package tells by `warnings.warn` meanwhile, each once and in one line; for commands.

    Its warnings from here on are remembered for the file that `kept_in` opens later.

    Args:
        shown: whether this process shows them, as one of those that a launcher started.
    """
    before: Any = warnings.showwarning
    told = set()
    package, early = logging.getLogger(PACKAGE), MemoryHandler(capacity=1)
    early.setLevel(logging.WARNING)

    def show(message: Any, category: Any, filename: str, *place: Any, **more: Any) -> None:
        if Path(__file__).parent not in Path(filename).parents:
            before(message, category, filename, *place, **more)
        elif shown and str(message) not in told:
            told.add(str(message))
            package.warning(message)

    warnings.showwarning = show
    package.addHandler(early)
    try:
        yield
    finally:
        package.removeHandler(early)
        warnings.showwarning = before


@contextmanager
def kept_in(file: Path) -> Iterator[None]:
    """Also append to a file what this package logs meanwhile, after the warnings that it remembers.

    Raises:
        OSError: if the file cannot be opened.
    """
    handler = _LogFile(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Lines())
    package = logging.getLogger(PACKAGE)
    level = package.level
    package.setLevel(min(logging.INFO, package.getEffectiveLevel()))
    for early in [each for each in package.handlers if isinstance(each, MemoryHandler)]:
        package.removeHandler(early)
        early.setTarget(handler)
        early.close()  # which writes what it has
    for logger in (package, TO_FILE):
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in (package, TO_FILE):
            logger.removeHandler(handler)
        package.setLevel(level)
        with suppress(OSError):
            handler.close()
