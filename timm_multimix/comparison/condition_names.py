"""Names for the conditions of evaluations, as short as tells those of a comparison apart."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..records.evaluation_tables import data_name
from ..records.evaluations import Evaluation, conditions
from .data_names import short_names

Names = Mapping[Hashable, str]
"""Names of conditions, by `key_of` an evaluation under them."""


def key_of(evaluation: Evaluation) -> Hashable:
    """Return an evaluation's conditions: the data and their preparation, whichever the model."""
    return _frozen(conditions(evaluation)[1:])


def pictures(evaluation: Evaluation, dataset: str | None = None) -> str | None:
    """Return the images that a model was evaluated on, in words; None if the record does not have them.

    Args:
        evaluation: the record.
        dataset: the name of the data; by default the last part of a directory.
    """
    try:
        data, (_, *sides) = evaluation["data"], evaluation["input_size"]
        size, name = " x ".join(map(str, sides)), dataset or data_name(data)
        told = f"{data['samples']} images of split {data['split']} of {name}, {size} pixels"
        return f"{told}; {data['classes']}" if data.get("classes") else told
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def name_conditions(evaluations: Iterable[Evaluation]) -> Names:
    """Name the conditions of evaluations by their images, and by more only where these have the same name.

    That is first the parents of directories, then the settings that differ. Equal conditions have one name,
    different ones have different names; evaluations whose images are not known have none.
    """
    known = {key_of(item): item for item in evaluations if pictures(item)}
    names: dict[Hashable, str] = {key: str(pictures(item)) for key, item in known.items()}
    for add in (_with_parents, _with_settings):
        groups: dict[str, dict[Hashable, Evaluation]] = {}
        for key, name in names.items():
            groups.setdefault(name, {})[key] = known[key]
        names = {key: told for name, members in groups.items() for key, told in add(name, members).items()}
    return names


def _with_parents(name: str, members: Mapping[Hashable, Evaluation]) -> dict[Hashable, str]:
    """Name the images by as many parents of their directories as tell them apart."""
    short = short_names(str(item["data"]["dataset"]) for item in members.values())
    if len(set(short.values())) == 1:
        return dict.fromkeys(members, name)
    return {key: str(pictures(item, short[str(item["data"]["dataset"])])) for key, item in members.items()}


def _with_settings(name: str, members: Mapping[Hashable, Evaluation]) -> dict[Hashable, str]:
    """Add the settings that differ."""
    settings = {key: _settings(item) for key, item in members.items()}
    used = dict.fromkeys(name for found in settings.values() for name in found)
    values = {name: {_frozen(found.get(name)) for found in settings.values()} for name in used}
    differing = [name for name in used if len(values[name]) > 1]

    def told(found: dict[str, Any]) -> list[str]:
        return [f"{name.replace('_', '-')} {found.get(name, 'unknown')}" for name in differing]

    return {key: "; ".join([name, *told(found)]) for key, found in settings.items()}


def _settings(evaluation: Evaluation) -> dict[str, Any]:
    """Return what conditions have besides the name of the data."""
    found = {"skipped": 0} | evaluation["data"] | {"channels": evaluation["input_size"][0]}
    input = evaluation.get("input")
    del found["dataset"]
    return found | (input if isinstance(input, dict) else {})


def _frozen(value: Any) -> Hashable:
    """Return a value of a record as one that can be a key."""
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in sorted(value.items()))
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
