"""Options from and to YAML: entries become the flags they stand for, so that one parser checks all."""

import argparse
import difflib
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from .values import KeyValues, Switch

_LARGEST = 100_000
_LARGEST_BITS = 4096
_MOST_BRACKETS = 500
_PUBLISHING = {
    "push_to_hub",
    "hub_model_id",
    "hub_private",
    "hub_license",
    "hub_overwrite",
    "hub_tag_epochs",
    "hub_timeout",
}

NOT_RECORDED = frozenset({"config", "given", "output", "overwrite", "resume"} | _PUBLISHING)
"""What belongs to one run and would stand in the way of repeating it from its config."""


def read_yaml(text: str) -> Any:
    """The plain values in a YAML text.

    Raises: UsageError if it is not YAML, or so large, by itself or by its aliases, that it is no config.
    """
    if len(text) > _LARGEST:
        raise UsageError(f"holds {len(text)} characters, at most {_LARGEST} are allowed")
    if text.count("[") + text.count("{") > _MOST_BRACKETS:  # PyYAML takes time by their square
        raise UsageError(f"holds more than {_MOST_BRACKETS} brackets, so it is nested too deeply")
    try:
        content = yaml.safe_load(text)
    except Exception as error:  # of values that are not what their tags say, PyYAML raises anything
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise UsageError(f"is not YAML ({reason})") from None
    _check_size(content)
    return content


def _check_size(content: Any) -> None:
    """Raises: UsageError if a value is huge as written out, without writing it out."""
    left, waiting = _LARGEST, [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
        if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
            raise UsageError(f"holds a whole number of {value.bit_length()} bits")
        left -= 1 + (len(value) if isinstance(value, str | bytes) else 0)
        if left < 0:
            raise UsageError(f"holds more than {_LARGEST} characters with its aliases written out")


def load_config(path: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises: UsageError if it cannot be read, is not YAML or not a mapping of names to values.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"cannot be read ({error})") from None
    content = read_yaml(text)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"expected a mapping of options to values, got a {type(content).__name__}")
    return content


def _find_option(key: Any, known: dict[str, argparse.Action]) -> argparse.Action:
    name = str(key).removeprefix("--").replace("-", "_")
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else "`train --help` lists them"
        raise UsageError(f"unknown option {key!r}; {hint}")
    return known[name]


def _scalar(value: Any, flag: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{flag}: expected text or a number, got {value!r}")
    return str(value)


def _tokens(action: argparse.Action, value: Any) -> list[str]:
    """The command line that says `value`."""
    flag = action.option_strings[-1]
    if isinstance(action, Switch):
        if not isinstance(value, bool):
            raise UsageError(f"{action.option_strings[0]}: expected true or false, got {value!r}")
        return [action.option_strings[0 if value else 1]]
    if isinstance(action, KeyValues) and isinstance(value, dict):
        return [flag, *(f"{key}={item!r}" for key, item in value.items())]
    if action.nargs == "?" and value is True:
        return [flag]
    values = value if isinstance(value, list) else [value]
    if isinstance(action.nargs, int) or action.nargs in ("+", "*"):
        return [flag, *(_scalar(item, flag) for item in values)]
    if isinstance(value, list) and not isinstance(action, argparse._AppendAction):
        raise UsageError(f"{flag}: expected one value, got {value!r}")
    # with "=", text that begins with a dash is a value all the same
    return [f"{flag}={_scalar(item, flag)}" for item in values]


def config_tokens(content: dict[str, Any], actions: list[argparse.Action]) -> list[str]:
    """The command line that says the same as a config's mapping; an entry of null says nothing.

    Raises: UsageError for unknown or repeated names and for values of another type than the option's.
    """
    known = {action.dest: action for action in actions if action.dest != "config"}
    tokens: list[str] = []
    seen: dict[str, Any] = {}
    for key, value in content.items():
        action = _find_option(key, known)
        if action.dest in seen:
            raise UsageError(f"{seen[action.dest]!r} and {key!r} are the same option; give it once")
        seen[action.dest] = key
        if value is not None:
            tokens += _tokens(action, value)
    return tokens


def options_to_dict(options: Namespace) -> dict[str, Any]:
    """The options that make a run what it is, as plain values; what is None is left out."""
    record = {
        name: value for name, value in vars(options).items() if name not in NOT_RECORDED and value is not None
    }
    # as pairs, since YAML has no tuples
    record["model_kwargs"] = [f"{key}={value!r}" for key, value in options.model_kwargs.items()]
    return record


def options_to_yaml(options: Namespace) -> str:
    """`options_to_dict` as the text of a file that --config takes."""
    return yaml.safe_dump(options_to_dict(options), sort_keys=False, allow_unicode=True)
