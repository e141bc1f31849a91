"""Options as keyword arguments: the declarations, checks and relations of the command line."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UsageError
from .arguments import parser_of
from .config import config_tokens
from .declaration import Options
from .parser import parse

Command = TypeVar("Command", bound=Options)

_FLAG = re.compile(r"--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")


def from_keywords(kind: type[Command], values: Mapping[str, Any], *positional: str) -> Command:
    """The options of a command from values by name; None leaves an option at its default.

    Args:
        kind: the options.
        values: as a config file has them; tuples and paths are taken as well.
        positional: the positional arguments of the command line.

    Raises:
        UsageError: an unknown name, with the nearest known ones, or a value that is not allowed.
    """
    return parse(kind, [*positional, *keyword_tokens(kind, values)])


def keyword_tokens(kind: type[Options], values: Mapping[str, Any]) -> list[str]:
    """Return the command line of values by name.

    Raises:
        UsageError: an unknown name, or a value of another type than the option's.
    """
    known = {option.name: option for option in parser_of(kind).flags()}
    return config_tokens({name: _plain(value) for name, value in values.items()}, known)


def _plain(value: Any) -> Any:
    """Convert a value as if read from YAML."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@contextmanager
def spelled_as_keywords(kind: type[Options]) -> Iterator[None]:
    """Let messages name options as in Python, `batch_size` instead of `--batch-size`.

    Raises:
        UsageError: the one that was raised, in these words.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(in_keywords(str(error), kind)) from error


def in_keywords(text: str, kind: type[Options]) -> str:
    """A message with options as keyword arguments."""
    known = {option.name for option in parser_of(kind).flags()}

    def spell(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        return name if name in known else found[0]

    return _FLAG.sub(spell, text)
