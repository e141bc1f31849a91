"""The console entry `timm-multimix COMMAND ...`. A new command is a module here and a line in COMMANDS."""

import difflib
import importlib
import io
import os
import signal
import sys
import threading
from typing import NoReturn

from ..deadlines import left_behind
from ..errors import Interrupted, UsageError
from ..logs import own_warnings_logged, show_messages
from ..version import __version__

COMMANDS = {
    "train": ("train", "train a model, mixing examples"),
    "evaluate": ("evaluate", "measure a trained model: accuracy, calibration, robustness ..."),
    "compare": ("compare", "compare runs, or train and compare several mixes"),
    "push": ("push", "publish a finished run on the Hugging Face Hub"),
    "predict": ("predict", "classify images"),
    "preview": ("preview", "draw examples that a mixer mixes"),
    "list": ("listing", "list the mixers, or describe one"),
}
"""Name: (module here, what it does)."""

USAGE = """usage: timm-multimix COMMAND [OPTION ...]

{}

`timm-multimix COMMAND --help` lists the options of a command; --version prints the version."""


def _is_main_process() -> bool:
    """Whether this is the process that prints, of those that a launcher started."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _describe_commands() -> str:
    return USAGE.format("\n".join(f"  {name:9} {summary}" for name, (_, summary) in COMMANDS.items()))


def _run(argv: list[str]) -> int:
    """Run the command that the first argument names, with the other arguments."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_describe_commands())
        return 0
    name, *rest = argv
    if name == "--version":
        print(f"timm-multimix {__version__}")
        return 0
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(f"unknown command {name!r}; {hint}allowed are {', '.join(COMMANDS)}")
    module = importlib.import_module(f".{COMMANDS[name][0]}", __package__)
    return module.main(rest)


def _leave_within(seconds: float, status: int) -> None:
    """End this process after some seconds, without waiting for threads (of an upload, say) that still run."""
    timer = threading.Timer(seconds, os._exit, [status])
    timer.daemon = True
    timer.start()


def _escape_what_cannot_be_printed() -> None:
    """Print characters that the output's encoding lacks, of file names say, as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def _end_unread() -> int:
    """Discard further output, as its reader (such as `head`) has closed the pipe; returns the exit status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def main(argv: list[str] | None = None) -> int:
    """Run a command and give the exit status: 2 after one line `error: ...` for a mistake of the user.

    128 + the number of a signal that ended it, after a line that says how to go on.
    """
    _escape_what_cannot_be_printed()
    show_messages()
    try:
        with own_warnings_logged(shown=_is_main_process()):
            status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _end_unread()
    except UsageError as error:
        if _is_main_process() and not error.told:
            from ..options.messages import error_line

            print("error:", error_line(error), file=sys.stderr)
        return 2
    except Interrupted as end:
        if _is_main_process():
            print(end, file=sys.stderr, flush=True)
        _leave_within(5.0, end.status)
        return end.status
    except KeyboardInterrupt:
        return 130


def run_process(argv: list[str] | None = None) -> NoReturn:
    """Run `main` and exit, without waiting for requests to a Hub that does not answer."""
    status = main(argv)
    if left_behind():
        _leave_within(5.0, status)
    sys.exit(status)
