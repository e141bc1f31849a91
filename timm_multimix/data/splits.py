"""The training and the evaluation split of a dataset, by its name."""

from dataclasses import dataclass, field
from typing import Any

from ..dataset_names import HubName
from ..errors import UsageError
from .collection import Collection, Tables
from .columns import shown
from .held_out import HeldOut
from .kinds import open_collection
from .request import Request
from .sources import Source
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, WHOLE, choose_split, contains
from .streaming import StreamedTables, StreamSource
from .targets import task_of_source


@dataclass(frozen=True)
class Splits:
    """The training and the evaluation split.

    defaults: option values that suit the images; notes: messages about data that were left out; hub: the name
    of a dataset of the Hub; held_out: how evaluation is a part of the training split.
    """

    train: Source
    evaluation: Source
    train_split: str
    evaluation_split: str
    class_names: list[str]
    defaults: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    hub: HubName | None = None
    held_out: HeldOut | None = None

    @property
    def task(self) -> str:
        """The task, one of `TASKS`."""
        return task_of_source(self.train)


def load_splits(
    dataset: str,
    *,
    train_split: str | None = None,
    val_split: str | None = None,
    val_split_seed: int | None = None,
    eval_on_train: bool = False,
    **reading: Any,
) -> Splits:
    """Open what to train on and what to evaluate on.

    Args:
        dataset: data of any of the kinds in `kinds`, by name.
        train_split: by default train, else all there is.
        val_split: by default validation, else test; a fraction is that part of the training split.
        val_split_seed: of what is held out.
        eval_on_train: whether to evaluate on the training split if `val_split` names it.
        **reading: fields of `Request`. With `streaming`, the training split is a `StreamSource`, whose
            classes are those of evaluation if it declares none.

    Raises:
        UsageError: for an unknown dataset, split or column, an empty split, a label outside the classes,
            classes of evaluation that training does not have, or one split for both.
    """
    collection = open_collection(Request(dataset=dataset, **reading))
    train_name = choose_split(collection, train_split, (*TRAIN_NAMES, WHOLE), "train_split")
    defaults, notes = dict(collection.defaults), list(collection.notes)
    hub = collection.hub if isinstance(collection, Tables) else None
    if held_out := HeldOut.parse(val_split, val_split_seed):
        if eval_on_train:
            raise UsageError(
                f"`eval_on_train` has no effect with `val_split` {val_split}; remove one of them"
            )
        whole, class_names = _open_train(collection, train_name)
        rest, part = held_out.divide(whole, f"split '{train_name}' of {dataset}")
        name = held_out.name(train_name)
        return Splits(rest, part, train_name, name, class_names, defaults, notes, hub, held_out)
    apart = tuple(name for name in EVALUATION_NAMES if eval_on_train or not contains(train_name, name))
    evaluation_name = choose_split(collection, val_split, apart, "val_split")
    _check_apart(collection, train_name, evaluation_name, eval_on_train)
    whole, class_names = _open_train(collection, train_name)
    collection.task = task_of_source(whole)  # evaluation's labels are read alike
    evaluation, evaluation_names = collection.open(evaluation_name, class_names or None)
    if isinstance(whole, StreamSource):
        class_names = whole.class_names = class_names or evaluation_names
    check_classes(class_names, evaluation_names, train_name, evaluation_name, dataset)
    return Splits(whole, evaluation, train_name, evaluation_name, class_names, defaults, notes, hub)


def _open_train(collection: Collection, split: str) -> tuple[Source, list[str]]:
    """The training split, streamed where the collection is; a stream may not know its classes yet."""
    if not isinstance(collection, StreamedTables):
        return collection.open(split, None)
    stream = collection.stream(split)
    return stream, stream.class_names


def _check_apart(collection: Collection, train: str, evaluation: str, eval_on_train: bool) -> None:
    """Raises: UsageError unless evaluation on training images and --eval-on-train go together."""
    equal = train == evaluation or collection.origin(train) == collection.origin(evaluation)
    same = equal or contains(train, evaluation)
    if same and not eval_on_train:
        which = f"split '{evaluation}'"
        if train != evaluation:
            which = f"'{train}' and '{evaluation}', the same images," if equal else f"{which}, in '{train}',"
        raise UsageError(
            f"{which} of '{collection.name}' would be both trained and evaluated on, and that accuracy says "
            "little; choose another `val_split`, or give `eval_on_train` as well"
        )
    if eval_on_train and not same:
        raise UsageError(
            f"`eval_on_train`, but evaluation is on split '{evaluation}' and training on '{train}'; "
            f"give `val_split` {train} as well, or leave it out"
        )


def check_classes(train: list[str], evaluation: list[str], first: str, second: str, dataset: str) -> None:
    """Raises: UsageError if two splits of a dataset do not have the same classes."""
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
