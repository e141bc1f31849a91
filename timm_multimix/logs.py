"""What the libraries underneath tell of their work, on stderr and without secrets."""

import logging
import sys

from .redaction import redact

LIBRARIES = ("accelerate", "datasets", "huggingface_hub", "timm")
"""Those that set a level of their own, which would hide what is asked for."""


class Redacting(logging.Formatter):
    """Writes a record without tokens and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def start_logging(level: str) -> None:
    """Log to stderr from a level on: debug, info, warning or error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(level.upper())
        library.handlers.clear()  # theirs redact nothing
        library.propagate = True


def warn(text: str) -> None:
    """Tell a person of something that is not as it may seem, in one line on stderr."""
    print("warning:", redact(" ".join(text.split())), file=sys.stderr, flush=True)
