"""Parsing by declarations, in two layers: a YAML file under the command line, each checked by one parser."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..errors import UsageError
from .arguments import parser_of
from .config import config_tokens, load_config
from .declaration import REQUIRED, Option, Options, build, declared, flag
from .relations import check_given, check_together, overruled
from .timm_config import from_timm, is_of_timm

logger = logging.getLogger(__name__)

Command = TypeVar("Command", bound=Options)


def resolve_short_forms(options: Mapping[str, Option], chosen: dict[str, Any]) -> dict[str, Any]:
    """Return `chosen` with short forms, such as --mixup, replaced by the value that they stand for.

    Raises:
        UsageError: if they come together with the option itself.
    """
    for name, option in options.items():
        short = {form: chosen[form] for form in option.facts.short_forms if form in chosen}
        if short and name in chosen:
            raise UsageError(f"{flag(min(short))} is short for {option.flag}; give one of the two")
        if short:
            together = option.facts.combine(short)
            rest = {other: value for other, value in chosen.items() if other not in short}
            chosen = rest | {name: option.default if together is None else together}
    return chosen


def names_in_config(option: Option) -> tuple[str, ...]:
    """The names of an option in a config file."""
    return (option.name, *option.facts.aliases)


def read_layer(kind: type[Options], tokens: Sequence[str]) -> dict[str, Any]:
    """The values that `tokens` choose, without defaults. Raises: UsageError."""
    parser = parser_of(kind)
    return resolve_short_forms(parser.declared, parser.parse_layer(tokens))


def read_config(kind: type[Options], path: str) -> dict[str, Any]:
    """The values of a config file. Raises: UsageError, which names the file."""
    try:
        content = load_config(path)
        if is_of_timm(content):
            content, left = from_timm(content, declared(kind))
            tell_left_out(path, left)
        known = {name: option for option in parser_of(kind).flags() for name in names_in_config(option)}
        return read_layer(kind, config_tokens(content, known))
    except UsageError as error:
        raise UsageError(f"config file {path}: {error}") from None


def tell_left_out(path: str, left: Sequence[str]) -> None:
    """Log in one line which of timm's arguments are not used."""
    if left:
        logger.warning(
            f"config file {path} has arguments of timm's train.py; not used are {', '.join(left)}: "
            "docs/flags.md says what to do instead"
        )


def parse(kind: type[Command], argv: Sequence[str]) -> Command:
    """The options of a command: defaults, over them the file of --config, over it the command line.

    Raises:
        UsageError: for every mistake, in one line.
    """
    options, chosen = declared(kind), read_layer(kind, argv)
    config = read_config(kind, chosen["config"]) if "config" in options and "config" in chosen else {}
    below = overruled(options, config, chosen)
    given = frozenset(below) | frozenset(chosen)
    for option in options.values():
        if option.default is REQUIRED and option.name not in given:
            wanted = f"{option.flag} {option.facts.metavar}"
            raise UsageError(f"{kind.prog} needs {option.flag}; give {wanted} as well")
    found = build(kind, below | chosen, given).settled()
    check_given(options, chosen, given)
    check_together(found)
    return found
