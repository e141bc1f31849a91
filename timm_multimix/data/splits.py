"""A dataset's name to its training and evaluation split."""

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .collection import ClassFolders, Collection, Digits, Tables
from .columns import shown
from .hub import HubName, load_from_hub
from .shards import Shards, load_shards, look_into
from .sources import Source
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, choose_split
from .streaming import StreamedTables, stream_hub, stream_shards


@dataclass(frozen=True)
class Splits:
    """What to train on and what to evaluate on.

    defaults: option values that suit the images; notes: what a person should know of what was left out; hub:
    the name of a dataset of the Hub.
    """

    train: Source
    evaluation: Source
    train_split: str
    evaluation_split: str
    class_names: list[str]
    defaults: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    hub: HubName | None = None


def load_splits(
    dataset: str,
    *,
    train_split: str | None = None,
    val_split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    streaming: bool = False,
    eval_on_train: bool = False,
) -> Splits:
    """Opens `digits`, a folder of class folders by split, one of parquet or tar files, or a Hub dataset.

    Without `val_split`, evaluation is on the validation split, else on the test split. On the training images
    it is only with `eval_on_train`. With `streaming`, the training split is a `StreamSource`, whose classes
    are those of evaluation if it declares none.

    Raises: UsageError for an unknown dataset, split or column, an empty split, a label outside the classes,
        classes of evaluation that training does not have, or one split for both.
    """
    collection = open_collection(dataset, image_column, label_column, streaming)
    train_name = choose_split(collection, train_split, TRAIN_NAMES, "train_split")
    evaluation_name = choose_split(collection, val_split, EVALUATION_NAMES, "val_split")
    _check_apart(collection, train_name, evaluation_name, eval_on_train)
    train: Source
    if isinstance(collection, StreamedTables):
        train = stream = collection.stream(train_name)
        evaluation, evaluation_names = collection.open(evaluation_name, stream.class_names or None)
        class_names = stream.class_names = stream.class_names or evaluation_names
    else:
        train, class_names = collection.open(train_name, None)
        evaluation, evaluation_names = collection.open(evaluation_name, class_names)
    _check_classes(class_names, evaluation_names, train_name, evaluation_name, dataset)
    defaults, notes = dict(collection.defaults), list(collection.notes)
    hub = HubName.parse(dataset) if isinstance(collection, Tables) and collection.shards is None else None
    return Splits(train, evaluation, train_name, evaluation_name, class_names, defaults, notes, hub)


def open_collection(
    dataset: str,
    image_column: str | None = None,
    label_column: str | None = None,
    streaming: bool = False,
) -> Collection:
    """What a dataset's name stands for. Raises: UsageError for an unknown one."""
    columns, path = (image_column, label_column), Path(dataset).expanduser()
    if dataset == "digits":
        _check_untabular(dataset, columns, streaming)
        return Digits()
    if not dataset or not path.is_dir():
        return _open_hub(dataset, columns, streaming)
    contents = look_into(path)
    if contents.shards is None:
        _check_untabular(dataset, columns, streaming)
        return ClassFolders(path, contents.notes)
    if streaming:
        return stream_shards(dataset, contents.shards, *columns, contents.notes)
    return _open_shards(dataset, contents.shards, columns, contents.notes)


def _open_shards(
    dataset: str, shards: Shards, columns: tuple[str | None, str | None], notes: list[str]
) -> Tables:
    loaders = {
        name: partial(load_shards, files, f"split '{name}' of {dataset}")
        for name, files in shards.splits.items()
    }
    return Tables(dataset, loaders, *columns, shards, notes)


def _open_hub(dataset: str, columns: tuple[str | None, str | None], streaming: bool) -> Tables:
    name = _parse_hub_name(dataset)
    if streaming:
        return stream_hub(dataset, name, *columns)
    splits, notes = load_from_hub(name)
    loaders = {str(split): partial(splits.__getitem__, split) for split in splits}
    return Tables(dataset, loaders, *columns, notes=notes)


def _parse_hub_name(dataset: str) -> HubName:
    """Raises: UsageError for what can only be a path, which the Hub need not be asked about."""
    if os.path.isfile(os.path.expanduser(dataset)):
        raise UsageError(f"dataset '{dataset}' is a file; expected 'digits', a folder, or a Hub id")
    name = HubName.parse(dataset)
    if name is None or ("/" in dataset and os.path.isdir(dataset.split("/")[0])):
        raise UsageError(f"dataset '{dataset}': no such folder; expected 'digits', a folder, or a Hub id")
    return name


def _check_untabular(dataset: str, columns: tuple[str | None, str | None], streaming: bool) -> None:
    """Raises: UsageError for options of tables where there are none."""
    if streaming:
        raise UsageError(f"`streaming`: '{dataset}' is not on the Hub nor a folder of parquet or tar files")
    for option, value in zip(("image_column", "label_column"), columns, strict=True):
        if value is not None:
            raise UsageError(f"`{option}` {value}: '{dataset}' has no columns (tables have them)")


def _check_apart(collection: Collection, train: str, evaluation: str, eval_on_train: bool) -> None:
    """Raises: UsageError if training images would be evaluated on unasked, or not though it was asked for."""
    same = train == evaluation or collection.origin(train) == collection.origin(evaluation)
    if same and not eval_on_train:
        which = (
            f"split '{train}'" if train == evaluation else f"'{train}' and '{evaluation}', the same images,"
        )
        raise UsageError(
            f"{which} of '{collection.name}' would be both trained and evaluated on, and that accuracy says "
            "little; choose another `val_split`, or give `eval_on_train` as well"
        )
    if eval_on_train and not same:
        raise UsageError(
            f"`eval_on_train`, but evaluation is on split '{evaluation}' and training on '{train}'; "
            f"give `val_split` {train} as well, or leave it out"
        )


def _check_classes(train: list[str], evaluation: list[str], first: str, second: str, dataset: str) -> None:
    if train == evaluation:
        return
    if len(train) != len(evaluation):
        difference = f"{len(train)} and {len(evaluation)} classes"
        only = sorted(set(train) ^ set(evaluation))
        difference += f"; only in one of them: {shown(only)}" if only else ""
    else:
        place = next(i for i, pair in enumerate(zip(train, evaluation, strict=True)) if pair[0] != pair[1])
        difference = f"class {place} is '{train[place]}' and '{evaluation[place]}'"
    raise UsageError(f"splits '{first}' and '{second}' of '{dataset}' have different classes: {difference}")
