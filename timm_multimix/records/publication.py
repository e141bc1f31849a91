"""Redaction of a run's record before publishing, by the types of its fields.

A `Path`, and a dataset or model whose kind is not one of `PUBLIC_KINDS`, is a path on this machine: only its
last part is published. Other texts lose tokens, and the directories of plain paths.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..options import TrainOptions
from ..options.declaration import declared
from ..options.values import DatasetName
from ..redaction import PUBLIC_KINDS, last_part, public_text, redact
from .evaluations import Evaluation
from .schema import RunRecord


def public_options(options: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Redact the options of a run; `kind` is that of its dataset."""
    types = {name: option.annotation for name, option in declared(TrainOptions).items()}
    return _public(options, types, kind)


def public_summary(summary: Mapping[str, Any], options: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Redact the content of summary.json."""
    told = _public(summary, get_type_hints(RunRecord, include_extras=True), kind)
    names = _renamed(options, public_options(options, kind))
    return told | {"command": public_command(summary["command"], names)}


def public_evaluation(evaluation: Evaluation) -> Evaluation:
    """Redact an evaluation, in which every dataset and model has its kind next to it."""
    facts = {name: value for name, value in evaluation.items() if name != "commands"}
    told = _public_references(facts)
    names = dict(_places(facts, told))
    return told | {"commands": [public_command(line, names) for line in evaluation["commands"]]}


def public_command(command: str, names: Mapping[str, str]) -> str:
    """Redact a command line; `names` replaces some of its words, or values of some of its flags."""
    words = []
    for word in shlex.split(command):
        flag, equals, value = word.partition("=")
        known = names.get(word) or (f"{flag}={names[value]}" if equals and value in names else None)
        words.append(redact(known) if known else public_text(word))
    return shlex.join(words)


def _public(values: Mapping[str, Any], types: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Redact values, each by the type of the field of its name."""
    return {name: _public_value(value, types.get(name), kind) for name, value in values.items()}


def _public_value(value: Any, annotation: Any, kind: str) -> Any:
    if value is None or not _is_place(annotation, kind):
        return _public_references(value)
    if isinstance(value, list | tuple):
        return [last_part(str(item)) for item in value]
    return last_part(str(value))


def _is_place(annotation: Any, kind: str) -> bool:
    """Return whether values of a type are paths on this machine: paths, and datasets whose kind says so."""
    if annotation is Path:
        return True
    if annotation == DatasetName:
        return kind not in PUBLIC_KINDS
    return any(_is_place(part, kind) for part in get_args(annotation))


def _public_references(value: Any) -> Any:
    """Redact nested plain values: mappings of a kind that is not public keep only names."""
    if isinstance(value, list):
        return [_public_references(item) for item in value]
    if not isinstance(value, dict):
        return public_text(value) if isinstance(value, str) else value
    kind = value.get("kind")
    place = isinstance(kind, str) and kind not in PUBLIC_KINDS
    return {
        name: last_part(item) if place and isinstance(item, str) else _public_references(item)
        for name, item in value.items()
    }


def _renamed(values: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, str]:
    """Replace texts by their public names."""
    return {str(value): str(told[name]) for name, value in values.items() if value != told[name]}


def _places(value: Any, told: Any) -> Iterator[tuple[str, str]]:
    """Return all texts in nested values that are replaced, with their replacements."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, told[name])
    elif isinstance(value, list):
        for item, other in zip(value, told, strict=True):
            yield from _places(item, other)
    elif isinstance(value, str) and value != told:
        yield value, told
