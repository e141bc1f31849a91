"""Names of splits: from file names, and the choice of the splits for training and evaluation."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import UsageError
from .columns import shown

if TYPE_CHECKING:
    from .collection import Collection

TRAIN_NAMES = ("train", "training", "trainval")
EVALUATION_NAMES = ("validation", "val", "valid", "dev", "eval", "evaluation", "test", "testing")
WHOLE = "all"
"""The only split of data that come without splits."""
UNION, UNION_HOLDS = "trainval", frozenset({"train", "training", "validation", "val", "valid", "dev"})
"""A training split that contains others, and the names of those."""

_SPLIT_WORDS = frozenset({*TRAIN_NAMES, *EVALUATION_NAMES})
_NUMBERS = re.compile(r"([-_.]?\d+)?([-_.]of[-_.]?\d+)?([-_.][0-9a-f]{16})?$")
"""The number of a shard of a split: `-00000-of-00004`, `_000`, `7`; on the Hub a hash may follow."""


def name_splits(stems: Iterable[str]) -> dict[str, str]:
    """For every file's name without its ending, the split it belongs to.

    Shards that differ by their number alone belong together. Together they are called by the one word for a
    split in their name (`imagenet1k-validation-00`: validation), unless that word alone is others' name or
    stands in that of others as well; then each keeps its whole name, and it takes a person to choose.
    """
    wholes = {stem: _without_number(stem) for stem in stems}
    words = {whole: split_word(whole) for whole in wholes.values()}
    claims = {word: [whole for whole in words if words[whole] == word] for word in words.values() if word}
    names = {
        whole: word if word and (len(claims[word]) == 1 or whole.lower() == word) else whole
        for whole, word in words.items()
    }
    return {stem: names[whole] for stem, whole in wholes.items()}


def _without_number(stem: str) -> str:
    whole = _NUMBERS.sub("", stem)
    unseparated = re.fullmatch(r".*[^-_.\d]\d+", stem)  # in `cifar10` the number is part of the name
    if unseparated and split_word(whole) is None:
        return stem
    return whole.rstrip("-_.") or WHOLE


def is_split_name(name: str) -> bool:
    """Whether a name is one of those that splits usually have, in any case."""
    return name.lower() in _SPLIT_WORDS


def contains(split: str, other: str) -> bool:
    """Whether a split has the images of another one, by their usual names."""
    return split.lower() == UNION and other.lower() in UNION_HOLDS


def split_word(text: str) -> str | None:
    """Return the word for a split in a name; None for none or several."""
    found = {word for word in re.split(r"[^a-z]+", text.lower()) if word in _SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def choose_split(data: "Collection", wanted: str | None, usual: tuple[str, ...], option: str) -> str:
    """The wanted split, else the most usual one; capitals do not count.

    Raises: UsageError, which lists what there is, if there is none.
    """
    names = data.split_names
    if not names:
        raise UsageError(
            f"'{data.name}' holds no data: expected parquet files (train-*.parquet, validation-*.parquet or "
            "test-*.parquet), WebDataset's tar files, or class directories of images, by split (train/ and "
            "val/) or not"
        )
    if wanted is not None:
        return _named(data, wanted, option)
    found = sorted(
        (name for name in names if name.lower() in usual),
        key=lambda name: (usual.index(name.lower()), name not in usual),
    )
    if not found:
        advice = f"choose with `{option}`"
        if usual[0] not in TRAIN_NAMES:
            advice += f", or hold out a part of the training images, as `{option}` 0.1 does"
        raise UsageError(f"'{data.name}' has no {usual[0]} split; it has {described(data)}: {advice}")
    return found[0]


def _named(data: "Collection", wanted: str, option: str) -> str:
    """Return the split of this name, or the only one that differs only in capitals."""
    alike = [name for name in data.split_names if name.casefold() == wanted.casefold()]
    if wanted in alike or len(alike) == 1:
        return wanted if wanted in alike else alike[0]
    raise UsageError(f"`{option}` {wanted}: no such split in '{data.name}'; it has {described(data)}")


def described(data: "Collection") -> str:
    """The splits with what makes them up, on one line."""
    return shown(
        [f"{name} ({data.contents[name]})" if name in data.contents else name for name in data.split_names]
    )
