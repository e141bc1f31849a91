"""A dataset's name to its training and evaluation split."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from timm_multimix.data.collection import ClassFolders, Collection, Digits, Tables
from timm_multimix.data.columns import shown
from timm_multimix.data.hub import is_hub_id, load_from_hub
from timm_multimix.data.shards import find_shards, load_shards
from timm_multimix.data.sources import Source
from timm_multimix.data.streaming import StreamedTables, stream_hub, stream_shards
from timm_multimix.errors import UsageError

TRAIN_NAMES = ("train", "training")
EVALUATION_NAMES = ("validation", "val", "valid", "dev", "test", "testing")


@dataclass(frozen=True)
class Splits:
    """What to train on and what to evaluate on; `defaults` are option values that suit the pictures."""

    train: Source
    evaluation: Source
    train_split: str
    evaluation_split: str
    class_names: list[str]
    defaults: dict[str, Any]


def load_splits(
    dataset: str,
    *,
    train_split: str | None = None,
    val_split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    streaming: bool = False,
) -> Splits:
    """Opens `digits`, a folder of class folders by split, one of parquet or tar files, or a Hub id.

    Without `val_split`, evaluation is on the validation split, else on the test split. With `streaming`,
    the training split is a `StreamSource`, whose classes are those of evaluation if it declares none.

    Raises: UsageError for an unknown dataset, split or column, an empty split, a label outside the classes,
        or classes that differ between the splits.
    """
    collection = open_collection(dataset, image_column, label_column, streaming)
    names = collection.split_names
    train_name = choose_split(train_split, TRAIN_NAMES, names, "train_split", dataset)
    evaluation_name = choose_split(val_split, EVALUATION_NAMES, names, "val_split", dataset)
    train: Source
    if isinstance(collection, StreamedTables):
        train = stream = collection.stream(train_name)
        evaluation, evaluation_names = collection.open(evaluation_name, stream.class_names or None)
        class_names = stream.class_names = stream.class_names or evaluation_names
    else:
        train, class_names = collection.open(train_name, None)
        evaluation, evaluation_names = collection.open(evaluation_name, class_names)
    _check_classes(class_names, evaluation_names, train_name, evaluation_name, dataset)
    return Splits(train, evaluation, train_name, evaluation_name, class_names, dict(collection.defaults))


def open_collection(
    dataset: str,
    image_column: str | None = None,
    label_column: str | None = None,
    streaming: bool = False,
) -> Collection:
    """What a dataset's name stands for. Raises: UsageError for an unknown one."""
    path = Path(dataset).expanduser()
    is_folder = dataset not in ("digits", "") and path.is_dir()
    shards = find_shards(path) if is_folder else {}
    if shards and streaming:
        return stream_shards(dataset, shards, image_column, label_column)
    if shards:
        loaders = {
            name: partial(load_shards, files, f"split '{name}' of {dataset}")
            for name, files in shards.items()
        }
        return Tables(dataset, loaders, image_column, label_column)
    if dataset != "digits" and not is_folder:
        _check_hub_id(dataset)
        if streaming:
            return stream_hub(dataset, image_column, label_column)
        splits = load_from_hub(dataset)
        loaders = {str(name): partial(splits.__getitem__, name) for name in splits}
        return Tables(dataset, loaders, image_column, label_column)
    if streaming:
        raise UsageError(f"`streaming`: '{dataset}' is not on the Hub nor a folder of parquet or tar files")
    for option, value in (("image_column", image_column), ("label_column", label_column)):
        if value is not None:
            raise UsageError(f"`{option}` {value}: '{dataset}' has no columns (tables have them)")
    return ClassFolders(path) if is_folder else Digits()


def _check_hub_id(dataset: str) -> None:
    """Raises: UsageError for what can only be a path, which the Hub need not be asked about."""
    if os.path.isfile(os.path.expanduser(dataset)):
        raise UsageError(f"dataset '{dataset}' is a file; expected 'digits', a folder, or a Hub id")
    below_a_folder = "/" in dataset and os.path.isdir(dataset.split("/")[0])
    if below_a_folder or not is_hub_id(dataset):
        raise UsageError(f"dataset '{dataset}': no such folder; expected 'digits', a folder, or a Hub id")


def choose_split(
    wanted: str | None, usual: tuple[str, ...], names: list[str], option: str, dataset: str
) -> str:
    """The wanted split, else the most usual one. Raises: UsageError if there is none."""
    if not names:
        raise UsageError(
            f"'{dataset}' holds no data: expected parquet files (train-*.parquet, validation-*.parquet or "
            "test-*.parquet), WebDataset's tar files, or folders train/ and val/ (or test/) of one folder of "
            "pictures per class"
        )
    if wanted is not None:
        if wanted not in names:
            raise UsageError(f"`{option}` {wanted}: no such split in '{dataset}'; it has {shown(names)}")
        return wanted
    found = [name for name in usual if name in names]
    if not found:
        raise UsageError(
            f"'{dataset}' has no {usual[0]} split; it has {shown(names)}: choose with `{option}`"
        )
    return found[0]


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
