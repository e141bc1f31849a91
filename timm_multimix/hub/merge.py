"""Merging a card with edits made on the Hub: their text and metadata stay, the generated part is replaced.

The generated part is between two comments. A change of the same thing on both sides is a `Conflict`.
"""

import hashlib
import re
from typing import Any, NamedTuple

import yaml
from huggingface_hub.utils import yaml_dump

BEGIN = (
    "<!-- timm_multimix: begin; the text down to `end` is replaced at every push, write above or below -->"
)
END = "<!-- timm_multimix: end -->"

_BEGIN_LINE = re.compile(r"^<!-- timm_multimix: begin\b.*-->[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_END_LINE = re.compile(r"^<!-- timm_multimix: end\b.*-->[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_FRONT = re.compile(r"\A\ufeff?\s*^---[ \t]*\r?\n(.*?)^---[ \t]*\r?(?:\n|\Z)", re.MULTILINE | re.DOTALL)
_TRAILING = re.compile(r"(?:(?<=\n)(?:#[^\n]*|[ \t]*)(?:\r?\n|\Z))+\Z")
_NOTHING = object()


class Conflict(ValueError):
    """An edit that cannot be merged, as the subject and predicate of a message."""


class Parts(NamedTuple):
    """A README: metadata as YAML, and the text, in which the generated part is None where it has no marks."""

    front: str | None
    above: str
    generated: str | None
    below: str


def wrap(text: str) -> str:
    """Return a generated text between its marks."""
    return f"{BEGIN}\n{text.rstrip()}\n{END}\n"


def without_marks(text: str) -> str:
    """Return a generated text in which nothing from users can be mistaken for a mark."""
    return text.replace("<!-- timm_multimix:", "<!-- timm_multimix :")


def fingerprint(text: str) -> str:
    """Return a digest of a text that does not depend on its line endings."""
    plain = text.replace("\r\n", "\n").strip()
    return hashlib.sha256(plain.encode()).hexdigest()


def split(readme: str) -> Parts:
    """The parts of a README.

    Raises:
        Conflict: if there is one mark without the other, or one of them twice.
    """
    found = _FRONT.match(readme)
    front, text = (found[1], readme[found.end() :]) if found else (None, readme)
    begins, ends = list(_BEGIN_LINE.finditer(text)), list(_END_LINE.finditer(text))
    if not begins and not ends:
        return Parts(front, text, None, "")
    if len(begins) != 1 or len(ends) != 1 or begins[0].end() > ends[0].start():
        raise Conflict(
            "README.md does not have its two marks `<!-- timm_multimix: ... -->` once each, in order"
        )
    generated = text[begins[0].end() : ends[0].start()]
    return Parts(front, text[: begins[0].start()], generated, text[ends[0].end() :])


def join(front: str, parts: Parts, generated: str) -> str:
    """Return a README of metadata, a new generated text and, around it, the text written on the Hub."""
    above = parts.above
    if parts.generated is None:  # theirs has no place for it: it goes below
        above = f"{above.rstrip()}\n\n" if above.strip() else "\n"
    return f"---\n{front.rstrip()}\n---\n{above}{wrap(generated)}{parts.below}"


def read_front(front: str | None) -> dict[str, Any]:
    """The metadata in a README.

    Raises:
        Conflict: if it is not YAML or not a mapping.
    """
    try:
        found = yaml.safe_load(front or "")
    except Exception as error:  # of values that are not what their tags say, PyYAML raises anything
        raise Conflict("the metadata of README.md is not valid YAML") from error
    if found is not None and not isinstance(found, dict):
        raise Conflict("the metadata of README.md is not a mapping")
    return found or {}


def merge(name: str, base: Any, theirs: Any, mine: Any, mine_wins: bool = False) -> Any:
    """Merge an entry that was `base` at the last push, is `theirs` on the Hub and `mine` in the run.

    A change of only one side is taken; mappings and lists are merged by their items.

    Args:
        name: the entry, for the message.
        base: the value at the last push; as for the others, `_NOTHING` where there is none.
        theirs: the value on the Hub.
        mine: the value of the run.
        mine_wins: whether a conflict ends with `mine`.

    Raises:
        Conflict: if both sides changed it.
    """
    if theirs in (base, mine):
        return mine
    if mine == base or theirs is _NOTHING:  # what people delete stays deleted
        return theirs
    if isinstance(theirs, dict) and isinstance(mine, dict):
        return merge_mappings(name, base if isinstance(base, dict) else {}, theirs, mine, mine_wins)
    items = [] if mine is _NOTHING else mine
    if isinstance(theirs, list) and isinstance(items, list):
        return _merge_lists(name, base if isinstance(base, list) else [], theirs, items, mine_wins)
    if mine_wins:
        return mine
    raise Conflict(f"{name} in the metadata of README.md was changed on the Hub to {theirs!r:.60}")


def merge_mappings(
    name: str, base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any], mine_wins: bool = False
) -> dict[str, Any]:
    """`merge` of every entry, in the order of the Hub's."""
    merged = {
        key: merge(
            f"{name}.{key}" if name else str(key),
            base.get(key, _NOTHING),
            theirs.get(key, _NOTHING),
            mine.get(key, _NOTHING),
            mine_wins,
        )
        for key in [*theirs, *(key for key in mine if key not in theirs)]
    }
    return {key: value for key, value in merged.items() if value is not _NOTHING}


def _merge_lists(
    name: str, base: list[Any], theirs: list[Any], mine: list[Any], mine_wins: bool
) -> list[Any]:
    """The run's list with what people added and without what they removed; named items are merged."""
    if all(isinstance(item, dict) and "name" in item for item in [*base, *theirs, *mine]):
        before, there, here = ({str(item["name"]): item for item in side} for side in (base, theirs, mine))
        return list(merge_mappings(name, before, there, here, mine_wins).values())
    kept = [item for item in theirs if item in mine or item not in base]
    return kept + [item for item in mine if item not in theirs and item not in base]


def _kept(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _changed(key: str, text: str, merged: dict[str, Any], base: dict[str, Any]) -> str:
    """Return the YAML of an entry with its new value; an empty text for a deleted entry."""
    if "#" in text and text != _dump({key: base.get(key)}):
        raise Conflict(f"{key} in the metadata of README.md has a comment, which a new value would delete")
    return _dump({key: merged[key]}) if key in merged else ""


def write_front(
    front: str | None, theirs: dict[str, Any], merged: dict[str, Any], base: dict[str, Any]
) -> str:
    """The YAML of merged metadata: entries that stay keep their text, comments and order.

    Raises:
        Conflict: if a comment would be lost.
    """
    pieces = []
    for key, text in _entries(front or ""):
        stays = key is None or merged.get(key, _NOTHING) == theirs[key]
        pieces.append(_kept(text) if stays else _changed(str(key), text, merged, base))
    added = {key: value for key, value in merged.items() if key not in theirs}
    written = "".join(pieces) + (_dump(added) if added else "")
    if read_front(written) != merged:
        raise Conflict("the metadata of README.md is written in a way that cannot be merged")
    return written


def _entries(front: str) -> list[tuple[Any, str]]:
    """The lines of a YAML mapping by its keys; None for comments and blank lines between them."""
    root = yaml.compose(front, Loader=yaml.SafeLoader)
    if root is None:
        return [(None, front)]
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise Conflict("the metadata of README.md is written in a way that cannot be merged")
    keys, starts = yaml.safe_load(front), [node.start_mark.index for node, _ in root.value]
    if len(keys) != len(starts):
        raise Conflict("the metadata of README.md has a key twice")
    entries: list[tuple[Any, str]] = [(None, front[: starts[0]])]
    for key, start, end in zip(keys, starts, [*starts[1:], len(front)], strict=True):
        text = front[start:end]
        kept = _TRAILING.sub("", text)
        entries += [(key, kept), (None, text[len(kept) :])]
    return entries


def _dump(values: dict[str, Any]) -> str:
    return yaml_dump(values, sort_keys=False)
