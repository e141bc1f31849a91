"""Data given as Python objects: datasets of torch and of the `datasets` library, and loaders of batches."""

from collections.abc import Sized
from typing import Any

from torch.utils.data import IterableDataset, Subset, TensorDataset

from ..errors import UsageError
from ..options.data import OBJECT
from ..options.shared import ColumnOptions
from .collection import Tables
from .given_loader import LoaderSource
from .held_out import HeldOut
from .items import ObjectSource
from .object_labels import Labelling, find_task, name_targets
from .request import Request
from .sources import Source
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, choose_split
from .splits import Splits, check_classes
from .targets import task_of_source


def object_name(value: object) -> str:
    """Return the name of an object for a run's record."""
    return f"{OBJECT}{type(value).__name__}"


def open_objects(
    train: Any,
    evaluation: Any,
    columns: ColumnOptions,
    num_classes: int | None = None,
) -> Splits:
    """Return the training and the evaluation split of objects.

    Args:
        train: a map-style dataset of torch, a `datasets.Dataset`, a `DatasetDict`, or a loader of batches.
        evaluation: likewise; None for a `DatasetDict` in `train`, which has both.
        columns: of a `DatasetDict`, the splits; without `evaluation`, the fraction of a `datasets.Dataset` to
            hold out; for both, the columns of images and labels; for all, the task.
        num_classes: number of classes, for objects that do not have it.

    Raises:
        UsageError: an object of another kind, or classes that are not known or differ.
    """
    if isinstance(train, dict) and evaluation is None:
        both = _tables("train_data", train, columns)
        train_name = choose_split(both, columns.train_split, TRAIN_NAMES, "train_split")
        evaluation_name = choose_split(both, columns.val_split, EVALUATION_NAMES, "val_split")
        first, names = both.open(train_name, None)
        both.task = task_of_source(first)
        second, others = both.open(evaluation_name, names)
    elif evaluation is None:
        return _held_out(train, HeldOut.parse(columns.val_split, columns.val_split_seed), columns)
    else:
        train_name, evaluation_name = "train_data", "eval_data"
        first, names = open_object(train, train_name, columns, num_classes=num_classes)
        alike = columns.but(task=task_of_source(first))
        second, others = open_object(evaluation, evaluation_name, alike, class_names=names)
    check_classes(names, others, train_name, evaluation_name, object_name(train))
    notes = [source.doubt for source in (first,) if isinstance(source, LoaderSource) and source.doubt]
    return Splits(first, second, train_name, evaluation_name, names, {}, notes)


def _held_out(train: Any, held_out: HeldOut | None, columns: ColumnOptions) -> Splits:
    """Split a `datasets.Dataset` into a training part and a part held out for evaluation."""
    import datasets

    if held_out is None or not isinstance(train, datasets.Dataset):
        raise UsageError(
            "eval_data must be given with a train_data object; of a datasets.Dataset, val_split=0.1 holds "
            "out a part instead"
        )
    source, names = open_object(train, "train_data", columns)
    rest, part = held_out.divide(source, "train_data")
    return Splits(rest, part, "train_data", held_out.name("train_data"), names, {}, held_out=held_out)


def open_object(
    data: Any,
    title: str,
    columns: ColumnOptions,
    *,
    class_names: list[str] | None = None,
    num_classes: int | None = None,
) -> tuple[Source, list[str]]:
    """One split of an object, and its classes.

    Args:
        data: a map-style dataset of torch, a `datasets.Dataset`, or a loader of batches.
        title: what messages call it.
        columns: of a `datasets.Dataset`, those of images and labels; of all, what the labels are for.
        class_names: the classes, where the object does not name them itself.
        num_classes: how many there are, where nothing names them.

    Raises:
        UsageError: an object of another kind, or classes that are not known.
    """
    import datasets

    if isinstance(data, datasets.Dataset):
        return _tables(title, {title: data}, columns).open(title, class_names)
    if isinstance(data, IterableDataset | datasets.IterableDataset) or not isinstance(data, Sized):
        raise UsageError(
            f"{title} must be a dataset with a length and indices, or a loader with a length, got a "
            f"{type(data).__name__}"
        )
    kind = ObjectSource if hasattr(data, "__getitem__") else LoaderSource
    known = find_class_names(data if kind is ObjectSource else getattr(data, "dataset", data)) or class_names
    source = kind(data, title)
    task = find_task(source.first_label, columns.task, title)
    names = name_targets(task, source.first_label, known, num_classes, title)
    source.labelling = Labelling(task, names)
    return source, names


def find_class_names(dataset: Any) -> list[str] | None:
    """Return the class names of a dataset, or of the dataset that it is a subset of; None if unknown."""
    if isinstance(dataset, Subset):
        return find_class_names(dataset.dataset)
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, list | tuple):
        return [str(name) for name in classes]
    if isinstance(dataset, TensorDataset):
        labels = dataset.tensors[-1]
        if labels.dim() == 1 and not labels.is_floating_point():
            return [str(number) for number in range(int(labels.max()) + 1)]
    return None


def _tables(name: str, splits: Any, columns: ColumnOptions) -> Tables:
    """`datasets.Dataset`s by split; rows that were selected or shuffled are written out in their order."""
    loaders = {
        str(split): table.flatten_indices if table._indices else (lambda table=table: table)
        for split, table in splits.items()
    }
    request = Request(
        dataset=name,
        image_column=columns.image_column,
        label_column=columns.label_column,
        task=columns.task,
    )
    return Tables(request, loaders)
