"""Nothing measured is lost: a new evaluation stands next to those made before."""

from collections.abc import Sequence
from typing import Any

from ..records.evaluations import Evaluation, conditions
from .sections import SECTIONS


def add(old: Sequence[Evaluation], new: Evaluation) -> list[Evaluation]:
    """The evaluations before and a new one, which replaces only numbers that it has measured again.

    An old part is left out if every number of it was measured under the same conditions and settings; an
    evaluation of which no part is left, too.
    """
    kept = [
        remaining if conditions(before) == conditions(new) else before
        for before in old
        if (remaining := _without(before, new)) is not None or conditions(before) != conditions(new)
    ]
    return [*(item for item in kept if item is not None), new]


def _without(before: Evaluation, new: Evaluation) -> Evaluation | None:
    """An evaluation without the parts that another one replaces; None if none is left."""
    replaced = {name for name in SECTIONS if name in before and _replaces(name, new, before)}
    left = {name: value for name, value in before.items() if name not in replaced}
    return left if SECTIONS.keys() & left.keys() else None


def _replaces(name: str, new: Evaluation, old: Evaluation) -> bool:
    return name in new and _keys(name, old[name]) <= _keys(name, new[name])


def _keys(name: str, part: Any) -> set[tuple[Any, ...]]:
    """What tells the numbers of a part apart: the metric, what it was measured of, and the settings."""
    try:
        numbers = SECTIONS[name].show(part).numbers
    except (KeyError, TypeError, AttributeError, ValueError):  # damaged
        return set()
    return {(number.metric.label, number.row, number.column, number.how) for number in numbers}
