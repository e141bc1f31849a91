"""The console entry `timm-multimix COMMAND ...`. A new command is a module in `commands` and a line here."""

import difflib
import importlib
import os
import sys

from .errors import UsageError

COMMANDS = {
    "train": ("train", "train a model, mixing examples"),
    "push": ("push", "publish a finished run on the Hugging Face Hub"),
    "list": ("listing", "list the mixers"),
}
"""Name: (module in `commands`, what it does)."""

USAGE = """usage: timm-multimix COMMAND [OPTION ...]

{}

`timm-multimix COMMAND --help` lists the options of a command."""


def _is_main_process() -> bool:
    """Whether this process speaks for all that a launcher started."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _describe_commands() -> str:
    return USAGE.format("\n".join(f"  {name:9} {summary}" for name, (_, summary) in COMMANDS.items()))


def _run(argv: list[str]) -> int:
    """Run the command that the first argument names, with the other arguments."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_describe_commands())
        return 0
    name, *rest = argv
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(f"unknown command {name!r}; {hint}allowed are {', '.join(COMMANDS)}")
    module = importlib.import_module(f".commands.{COMMANDS[name][0]}", __package__)
    return module.main(rest)


def main(argv: list[str] | None = None) -> int:
    """Run a command and give the exit status: 2 after one line `error: ...` for a mistake of the user."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        if _is_main_process():
            print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
