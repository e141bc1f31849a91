"""argparse's arguments from declarations: flags, converters and help."""

import argparse
import difflib
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from ..errors import UsageError
from .declaration import REQUIRED, Option, Options, declared, flag
from .timm_flags import advise
from .values import key_value


class Switch(argparse.Action):
    """True by its first flag, False by its second, which undoes a config file's choice."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(
        self, parser: Any, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, option_string == self.option_strings[0])


class KeyValues(argparse.Action):
    """Collects the `key_value` pairs of one flag in a dict."""

    def __call__(
        self, parser: Any, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, dict(values))


_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\Z", re.IGNORECASE)
"""A value that begins with a dash, exponents included, which not all versions of argparse take for one."""


@dataclass(frozen=True)
class Reading:
    """The reading of an option's texts: converter, number of values, and result."""

    convert: Any = None
    nargs: Any = None
    choices: tuple[str, ...] | None = None
    action: type[argparse.Action] | str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of argparse's `add_argument`."""
        found = {"type": self.convert, "nargs": self.nargs, "choices": self.choices, "action": self.action}
        return {name: value for name, value in found.items() if value is not None}


def reading(option: Option) -> Reading:
    """Return the reading of an option's texts, by its annotation and, if needed, its facts."""
    found = _by_annotation(option.facts.check or option.annotation)
    if option.facts.action:
        return Reading(action=option.facts.action)
    if option.facts.append:
        return replace(found, nargs=None, action="append")
    return replace(found, nargs=option.facts.nargs or found.nargs)


def _by_annotation(annotation: Any) -> Reading:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _by_annotation(next(other for other in arguments if other is not NoneType))
    if origin is tuple:
        return replace(_by_annotation(arguments[0]), nargs="+" if arguments[1] is ... else len(arguments))
    if origin is Annotated:
        return Reading(arguments[1], action=arguments[2] if len(arguments) > 2 else None)
    if origin is Literal:
        return Reading(choices=arguments)
    if origin is dict:
        return Reading(key_value, "*", action=KeyValues)
    if annotation is bool:
        return Reading(action=Switch)
    return Reading(None if annotation is str else annotation)


class Parser(argparse.ArgumentParser):
    """The argparse parser of a command's declarations; its errors are `UsageError`s of one line."""

    def __init__(self, kind: type[Options]) -> None:
        super().__init__(prog=kind.prog, usage=kind.usage, description=kind.description, allow_abbrev=False)
        self.kind, self.declared = kind, declared(kind)
        self._negative_number_matcher = _NEGATIVE
        groups: dict[Any, Any] = {None: self}
        for option in self.flags():
            title = None if option.facts.positional else option.group.title
            if title not in groups:
                groups[title] = self.add_argument_group(title, option.group.description)
            add_option(groups[title], option)

    def flags(self) -> Iterator[Option]:
        """Yield all options, each followed by its short forms as options of their own."""
        for option in self.declared.values():
            yield option
            for name, facts in option.facts.short_forms.items():
                yield replace(option, name=name, default=None, facts=replace(facts, arms=option.facts.arms))

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))

    def parse_layer(self, tokens: Sequence[str]) -> dict[str, Any]:
        """The values that `tokens` choose, by name, without any defaults.

        Raises:
            UsageError: for unknown flags, with the nearest known one, and for values that are not allowed.
        """
        nothing = Namespace(**{action.dest: None for action in self._actions if action.dest != "help"})
        chosen, unknown = self.parse_known_args(tokens, nothing)
        if unknown:
            self.error(self._describe_unknown(unknown[0]))
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in vars(chosen).items()
            if value is not None
        }

    def _describe_unknown(self, token: str) -> str:
        if not token.startswith("-"):
            data = f"give data as --dataset {token}, and " if "dataset" in self.declared else ""
            return f"unexpected argument {token!r}; {data}options begin with --"
        given = token.partition("=")[0]
        if advice := self.kind.advice(given.removeprefix("--").replace("-", "_")) or advise(given):
            return f"unrecognized option {given}; {advice}"
        known = {name.lstrip("-"): name for action in self._actions for name in action.option_strings}
        nearest = difflib.get_close_matches(given.lstrip("-"), known, n=1)  # dashes would make all alike
        return f"unrecognized option {given}; " + (
            f"did you mean {known[nearest[0]]}?" if nearest else "--help lists them"
        )


def parser_of(kind: type[Options]) -> Parser:
    """The parser of a command; parsing leaves it as it is."""
    key: Any = kind  # to mypy, classes of frozen dataclasses cannot be hashed
    return _make_parser(key)


_make_parser = cache(Parser)


def add_option(group: Any, option: Option) -> None:
    """Add an option to a parser or a group of it."""
    facts, found = option.facts, reading(option).arguments
    about = {"help": help_text(option)} | ({"metavar": facts.metavar} if facts.metavar else {})
    if facts.positional:
        group.add_argument(option.name, **about, **found)
        return
    if facts.const is not None:
        found["const"] = facts.const
    names = [option.flag] if found.get("action") is not Switch else switch_flags(option)
    names += map(flag, facts.aliases)
    if facts.short:
        names.insert(0, facts.short)
    group.add_argument(*names, dest=option.name, **about, **found)


def switch_flags(option: Option) -> list[str]:
    """The flags that turn a switch on and off."""
    name = option.name
    return [option.flag, flag(name.removeprefix("no_") if name.startswith("no_") else f"no_{name}")]


def help_text(option: Option) -> str:
    """The help of an option with its default."""
    text, default = option.facts.help, option.default
    if "(default" not in text and default is not REQUIRED:
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
        text = f"{text} (default: {shown})".lstrip()
    return text.replace("{default}", str(default)).replace("%", "%%")
