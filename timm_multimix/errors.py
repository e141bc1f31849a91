"""The exceptions for mistakes of the user and for interruptions, and the wording of their one line."""

import signal

LONGEST = 1900
"""Characters of a message, which a terminal still shows whole."""


def abridged(text: str, limit: int) -> str:
    """A long text without its middle: a message may say what counts at its beginning or at its end."""
    return text if len(text) <= limit else f"{text[: limit // 2]} [...] {text[-(limit // 2) :]}"


def quoted(text: str, limit: int = 80) -> str:
    """Quote a text for a message, a long one without its middle."""
    return repr(abridged(text, limit))


def printable(text: str) -> str:
    """Escape what UTF-8 cannot encode, as in file names of another encoding."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: object, limit: int = 300) -> str:
    """Return the message of an exception on one line, a long one abridged; its type if it has no message."""
    return abridged(" ".join(str(error).split()) or type(error).__name__, limit)


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things, such as `1 epoch` or `2 epochs`; `many` where the plural does not end in s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


class UsageError(ValueError):
    """A mistake of the caller, or a fault around a run: one line that says what happened and what is allowed.

    The command line prints it as `error: ...` and exits with status 2; `told` says that it was already
    printed.
    """

    told = False

    def __init__(self, message: str) -> None:
        super().__init__(abridged(message, LONGEST))


class Interrupted(KeyboardInterrupt):
    """The end of a run by a signal: one line that says how to resume it.

    The command line prints it and exits with `status`: 143 for SIGTERM, 130 for SIGINT.
    """

    def __init__(self, number: int, advice: str) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}; {advice}")
        self.status = 128 + number
