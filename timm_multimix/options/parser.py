"""Parsing by declarations, in two layers: a YAML file under the command line, each checked by one parser."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..errors import UsageError
from .arguments import parser_of
from .config import config_tokens, load_config
from .declaration import REQUIRED, Option, Options, build, declared, flag
from .relations import check_given, check_together, overruled

Command = TypeVar("Command", bound=Options)


def resolve_short_forms(options: Mapping[str, Option], chosen: dict[str, Any]) -> dict[str, Any]:
    """`chosen` with short forms, such as --mixup, turned into the value they stand for.

    Raises:
        UsageError: if they come together with the option itself.
    """
    for name, option in options.items():
        short = {form: chosen[form] for form in option.facts.short_forms if form in chosen}
        if short and name in chosen:
            raise UsageError(f"{flag(min(short))} is short for a {option.flag} spec; give one of the two")
        if short:
            specs = [f"{form}(alpha={value})" for form, value in short.items() if value > 0]
            rest = {other: value for other, value in chosen.items() if other not in short}
            chosen = rest | {name: " | ".join(specs) or option.default}
    return chosen


def read_layer(kind: type[Options], tokens: Sequence[str]) -> dict[str, Any]:
    """The values that `tokens` choose, without defaults. Raises: UsageError."""
    parser = parser_of(kind)
    return resolve_short_forms(parser.declared, parser.parse_layer(tokens))


def read_config(kind: type[Options], path: str) -> dict[str, Any]:
    """The values of a config file. Raises: UsageError, which names the file."""
    try:
        content = load_config(path)
        known = {option.name: option for option in parser_of(kind).flags()}
        return read_layer(kind, config_tokens(content, known))
    except UsageError as error:
        raise UsageError(f"config file {path}: {error}") from None


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
