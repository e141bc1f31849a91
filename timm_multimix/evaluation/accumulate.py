"""Joining a new evaluation with earlier ones, so that no measurement is lost."""

from collections.abc import Sequence
from typing import Any

from ..records.evaluations import Evaluation, conditions
from .sections import SECTIONS


def add(old: Sequence[Evaluation], new: Evaluation) -> list[Evaluation]:
    """Return earlier evaluations and a new one, which replaces only numbers that it has measured again.

    An old part is dropped if every number of it was measured again under the same conditions and settings; an
    evaluation without parts is dropped, too.
    """
    kept = [
        remaining if conditions(before) == conditions(new) else before
        for before in old
        if (remaining := _without(before, new)) is not None or conditions(before) != conditions(new)
    ]
    return [*(item for item in kept if item is not None), new]


def _without(before: Evaluation, new: Evaluation) -> Evaluation | None:
    """Return an evaluation without the parts that another one replaces; None if none is left."""
    replaced = {name for name in SECTIONS if name in before and _replaces(name, new, before)}
    left = {name: value for name, value in before.items() if name not in replaced}
    return left if SECTIONS.keys() & left.keys() else None


def _replaces(name: str, new: Evaluation, old: Evaluation) -> bool:
    return name in new and _keys(name, old[name]) <= _keys(name, new[name])


def _keys(name: str, part: Any) -> set[tuple[Any, ...]]:
    """Return what identifies the numbers of a part: the metric, its subject, and the settings."""
    try:
        numbers = SECTIONS[name].show(part).numbers
    except (KeyError, TypeError, AttributeError, ValueError):  # damaged
        return set()
    return {(number.metric.label, number.row, number.column, number.how) for number in numbers}
