"""Options in YAML: entries become the flags they stand for, so that one parser checks all."""

import difflib
from pathlib import Path
from typing import Any

import yaml

from ..errors import LONGEST, UsageError, one_line, quoted
from .arguments import KeyValues, Switch, reading, switch_flags
from .declaration import Option, Part, declared, flat
from .timm_flags import advise

RECIPE = "recipe:"
_PACKAGE = Path(__file__).parents[1]
_RECIPES = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")  # of an installed package, of a checkout
_LARGEST = 100_000
_LARGEST_BITS = 4096
_MOST_BRACKETS = 500


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
        reason = "nested too deeply" if isinstance(error, RecursionError) else one_line(error, LONGEST)
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


def find_config(path: str) -> Path:
    """A config file, or a recipe of the package, as in `recipe:digits`.

    Raises: UsageError if there is no such recipe.
    """
    if not path.startswith(RECIPE):
        return Path(path)
    found = {
        file.relative_to(directory).with_suffix("").as_posix(): file
        for directory in _RECIPES
        for file in sorted(directory.rglob("*.yaml"))
    }
    name = path.removeprefix(RECIPE)
    if name not in found:
        raise UsageError(f"a recipe must be one of {', '.join(found)}, got {name}")
    return found[name]


def load_config(path: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises: UsageError if it cannot be read, is not YAML or not a mapping of names to values.
    """
    try:
        text = find_config(path).read_text(encoding="utf-8")
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


def config_tokens(content: dict[str, Any], known: dict[str, Option]) -> list[str]:
    """Return the command line of a config's mapping; entries of null are left out.

    Raises:
        UsageError: for unknown or repeated names and for values of another type than the option's.
    """
    tokens: list[str] = []
    seen: dict[str, Any] = {}
    for key, value in content.items():
        option = _find(key, {name: option for name, option in known.items() if name != "config"})
        if option.name in seen:
            raise UsageError(f"{seen[option.name]!r} and {key!r} are the same option; give it once")
        seen[option.name] = key
        if value is not None:
            tokens += _tokens(option, value)
    return tokens


def _find(key: Any, known: dict[str, Option]) -> Option:
    name = str(key).removeprefix("--").replace("-", "_")
    name = name if name in known else f"{name}_" if f"{name}_" in known else name
    if name not in known:
        if advice := advise(name):
            raise UsageError(f"unknown option {key!r}; {advice}")
        nearest = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else "`train --help` lists them"
        raise UsageError(f"unknown option {key!r}; {hint}")
    return known[name]


def _scalar(value: Any, flag: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{flag}: expected text or a number, got {quoted(repr(value))}")
    return str(value)


def _switch(option: Option, value: Any) -> str:
    if not isinstance(value, bool):
        raise UsageError(f"{option.flag}: expected true or false, got {quoted(repr(value))}")
    return switch_flags(option)[0 if value else 1]


def _tokens(option: Option, value: Any) -> list[str]:
    """Return the command line of a value."""
    flag, found = option.flag, reading(option)
    if found.action is Switch:
        return [_switch(option, value)]
    if found.action is KeyValues and isinstance(value, dict):
        return [flag, *(f"{key}={item!r}" for key, item in value.items())]
    if found.nargs == "?" and value is True:
        return [flag]
    values = [_scalar(item, flag) for item in (value if isinstance(value, list) else [value])]
    if found.nargs not in (None, "?"):
        return [flag, *values]
    if isinstance(value, list) and found.action != "append":
        raise UsageError(f"{flag}: expected one value, got {value!r}")
    # with "=", text that begins with a dash is a value all the same
    return [f"{flag}={each}" for each in values]


def options_to_dict(options: Part, result_only: bool = False) -> dict[str, Any]:
    """Return the recorded options of a run as plain values; None is left out.

    With `result_only` also what leaves its result as it is, such as the number of loading processes.
    """
    facts = {name: found.facts for name, found in declared(type(options)).items()}
    return {
        name: _plain(value)
        for name, value in flat(options).items()
        if facts[name].recorded and value is not None and (facts[name].bears_on_result or not result_only)
    }


def _plain(value: Any) -> Any:
    """Convert a value for YAML and JSON; mappings become pairs, since YAML has no tuples."""
    if isinstance(value, dict):
        return [f"{key}={item!r}" for key, item in value.items()]
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def options_to_yaml(options: Part) -> str:
    """`options_to_dict` as the text of a file that --config takes."""
    named = {name.rstrip("_"): value for name, value in options_to_dict(options).items()}
    return yaml.safe_dump(named, sort_keys=False, allow_unicode=True)
