"""The two ways in which a command ends early and in good order, and what its last line says."""

import signal


def quoted(text: str, limit: int = 80) -> str:
    """A text as a message says it: in quotes, the end of a long one left out."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def printable(text: str) -> str:
    """A text in which what UTF-8 cannot say, as in names of files in another encoding, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: object, limit: int | None = 300) -> str:
    """The message of an exception on one line, the end of a long one left out; its type if it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


class UsageError(ValueError):
    """A mistake of the caller, or a fault around a run: one line that says what happened and what is allowed.

    The command line prints it as `error: ...` and exits with status 2; `told` says that this was done.
    """

    told = False


class Interrupted(KeyboardInterrupt):
    """A signal ended a run: one line that says how to go on.

    The command line prints it and exits with `status`: 143 for SIGTERM, 130 for SIGINT.
    """

    def __init__(self, number: int, advice: str) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}; {advice}")
        self.status = 128 + number
