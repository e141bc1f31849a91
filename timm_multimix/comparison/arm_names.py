"""Names of groups of runs: the mix, and other options that differ between them."""

from collections.abc import Sequence
from typing import Any

from ..options import TrainOptions
from ..options.declaration import declared, in_use


def make_arm_names(groups: Sequence[dict[str, Any]]) -> list[str]:
    """Return a name for each mapping of options; different mappings get different names."""
    used = [_in_use(options) for options in groups]
    names = [name for name in _names(groups) if name == "mix" or _differs(name, used)]
    labels = [_label(options, names) for options in used]
    # Groups may differ only in options that are off or have no effect: then show those too.
    if len(set(labels)) < len(labels):
        names = [name for name in _names(groups) if name == "mix" or _differs(name, groups)]
        labels = [_label({name: options.get(name) for name in names}, names) for options in groups]
    return labels


def _in_use(options: dict[str, Any]) -> dict[str, Any]:
    """Drop options that are off, and options that only matter together with one of those."""
    on = {name: value for name, value in options.items() if in_use(value)}
    return {name: value for name, value in on.items() if _matters(name, on)}


def _matters(name: str, options: dict[str, Any]) -> bool:
    """Whether an option stands alone, or one that it needs is in use."""
    known = declared(TrainOptions)
    needs = known[name].facts.needs if name in known else ()
    return not needs or any(other in options for other in needs)


def _names(groups: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(["mix", *(name for options in groups for name in options)]))


def _differs(name: str, groups: Sequence[dict[str, Any]]) -> bool:
    """Whether an option has different values in the groups in which it matters."""
    values = [options.get(name) for options in groups if _matters(name, options)]
    return any(value != values[0] for value in values)


def _label(options: dict[str, Any], names: Sequence[str]) -> str:
    return ", ".join(_part(name, options[name]) for name in names if name in options)


def _part(name: str, value: Any) -> str:
    known = declared(TrainOptions)
    if name in known and known[name].facts.bare:
        return str(value)
    told = name.replace("_", "-")
    if value is True:
        return told
    return f"{told} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def shared_options(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the options in use that have the same value in all groups."""
    first, *others = [_in_use(options) for options in groups]
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
