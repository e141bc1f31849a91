"""Python objects given to a run instead of names: models, datasets, loaders and callbacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from ..data.given_loader import LoaderSource
from ..data.items import ObjectSource
from ..data.kinds.declaration import TABLE
from ..data.objects import open_objects
from ..data.sources import Source
from ..data.splits import Splits, load_splits
from ..errors import UsageError
from ..options import TrainOptions
from ..options.data import OBJECT, DataOptions
from ..options.declaration import Trait, declared, flat

if TYPE_CHECKING:
    from .callbacks import Callback

OBJECTS = {
    "model": "a model that is given as an object",
    "tensors": "images that are tensors already",
    "loader": "a loader's batches",
    "items": "a dataset of images and labels",
    "table": "a table that is opened already",
}
"""Objects on which some options have no effect, as the options' declarations name them."""


@dataclass(frozen=True)
class Given:
    """Objects of a run: a network, datasets or loaders, and callbacks; None if the options name them."""

    model: nn.Module | None = None
    train_data: Any = None
    eval_data: Any = None
    callbacks: Sequence["Callback"] = ()
    chosen: frozenset[str] = frozenset()  # options given besides the objects

    def check(self, model: str, dataset: str) -> None:
        """Compare the objects with the names in the options of a new or a resumed run.

        Args:
            model: the name of the model, or the class of an object.
            dataset: likewise.

        Raises:
            UsageError: an object is missing, or an option has no effect on the given one.
        """
        for name, value in (("model", model), ("train_data", dataset)):
            if value.startswith(OBJECT) and getattr(self, name) is None:
                kind = value.removeprefix(OBJECT)
                raise UsageError(
                    f"the run was trained with a {kind} object as its {name}; train it by "
                    f"timm_multimix.train({name}=...)"
                )
        if self.model is not None:
            self._refuse_idle("model")

    def splits(self, data: DataOptions, num_classes: int | None) -> Splits:
        """Open the splits for training and evaluation.

        Args:
            data: the data, and how they are read.
            num_classes: number of classes, for objects that do not have it.

        Raises:
            UsageError: data that cannot be opened or used, and options that have no effect on them.
        """
        if self.train_data is None:
            return load_splits(
                data.dataset,
                streaming=data.streaming,
                eval_on_train=data.eval_on_train,
                **flat(data.columns),
            )
        splits = open_objects(self.train_data, self.eval_data, data.columns, num_classes)
        for source in (splits.train, splits.evaluation):
            kind = kind_of(source)
            self._refuse_idle(kind, frozenset(Trait) - (TABLE if kind == "table" else {Trait.TARGETS}))
        return splits

    def _refuse_idle(self, kind: str, lacking: frozenset[Trait] = frozenset()) -> None:
        """Refuse options that have no effect on such an object; raises UsageError."""
        for name, option in declared(TrainOptions).items():
            facts = option.facts
            if name in self.chosen and (kind in facts.idle_on or facts.trait in lacking):
                raise UsageError(f"{option.flag} has no effect on {OBJECTS[kind]}; leave it out")


NOTHING = Given()


def kind_of(source: Source) -> str:
    """Return which of `OBJECTS` a source of images was given as."""
    if isinstance(source, LoaderSource):
        return "loader"
    if isinstance(source, ObjectSource):
        return "items" if source.shape is None else "tensors"
    return "table"


def fit_to_tensors(source: Source) -> dict[str, Any]:
    """Return the options' values for images that are tensors, which are used as they are; none for others.

    `mean` and `std` say that nothing is subtracted or divided any more.

    Raises:
        UsageError: the tensors are not images.
    """
    shape = getattr(source, "shape", None)
    if shape is None:
        return {}
    if len(shape) != 3:
        raise UsageError(f"the images of train_data must be [channels, height, width], got {list(shape)}")
    channels, height, width = shape
    fitting: dict[str, Any] = {
        "no_aug": True,
        "in_chans": channels,
        "img_size": height if height == width else (height, width),
        "mean": (0.0,) * channels,
        "std": (1.0,) * channels,
    }
    return fitting | ({"batch_size": source.batch_size} if isinstance(source, LoaderSource) else {})
