"""Names for groups of runs: the mix, and what else differs between them."""

from collections.abc import Sequence
from typing import Any

OFF: tuple[Any, ...] = (None, False, 0, 0.0, "", "off", [])
"""Values that need not be told: the option is not in use."""

BARE = ("mix", "model")
"""Options whose value says enough without their name."""


def make_labels(groups: Sequence[dict[str, Any]]) -> list[str]:
    """One name for each mapping of options; different mappings get different names."""
    names = _differing(groups)
    labels = [_label(options, names, OFF) for options in groups]
    if len(set(labels)) < len(labels):
        labels = [_label(options, names, ()) for options in groups]
    return labels


def _differing(groups: Sequence[dict[str, Any]]) -> list[str]:
    """The mix, and the names of options that are not the same in all groups."""
    names = dict.fromkeys(["mix", *(name for options in groups for name in options)])
    return [
        name
        for name in names
        if name == "mix" or any(each.get(name) != groups[0].get(name) for each in groups)
    ]


def _label(options: dict[str, Any], names: Sequence[str], off: Sequence[Any]) -> str:
    parts = [_part(name, options.get(name)) for name in names if not _is_in(options.get(name), off)]
    return ", ".join(parts)


def _is_in(value: Any, values: Sequence[Any]) -> bool:
    return any(value == other for other in values)


def _part(name: str, value: Any) -> str:
    if name in BARE:
        return str(value)
    told = name.replace("_", "-")
    if value is True:
        return told
    return f"{told} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def shared_options(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The options in use that all groups have in common."""
    first = groups[0]
    return {
        name: value
        for name, value in first.items()
        if not _is_in(value, OFF) and all(other.get(name) == value for other in groups)
    }
