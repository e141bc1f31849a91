"""What a run is given as Python objects, where an option would name it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from ..data.objects import LoaderSource, ObjectSource, open_objects
from ..data.splits import Splits, load_splits
from ..errors import UsageError
from ..options import TrainOptions
from ..options.data import OBJECT
from ..options.declaration import flag, flat

if TYPE_CHECKING:
    from .callbacks import Callback

_OF_NAMES = ("pretrained", "model_kwargs", "drop", "drop_path")
"""Options by which a model is made of its name."""

_OF_PICTURES = ("streaming", "cache", "label_noise", "skip_broken")
_OF_LOADERS = ("batch_size", "validation_batch_size", "workers", "pin_mem")
_OF_TABLES = ("train_split", "val_split", "val_split_seed", "image_column", "label_column")
_AUGMENTATION = ("no_aug", "crop_padding", "scale", "ratio", "hflip", "vflip", "color_jitter", "aa", "reprob")


@dataclass(frozen=True)
class Given:
    """Objects of a run: a network, datasets or loaders, and callbacks; None where the options name them."""

    model: nn.Module | None = None
    train_data: Any = None
    eval_data: Any = None
    callbacks: Sequence["Callback"] = ()
    chosen: frozenset[str] = frozenset()  # options given beside the objects

    def check(self, options: TrainOptions) -> None:
        """Compare the objects with what the options of a new or a resumed run name.

        Raises:
            UsageError: an object is missing, or an option has no effect on the one that is given.
        """
        names = {"model": options.network.model, "train_data": options.data.dataset}
        for name, value in names.items():
            if value.startswith(OBJECT) and getattr(self, name) is None:
                kind = value.removeprefix(OBJECT)
                raise UsageError(
                    f"the run was trained with a {kind} object as its {name}; train it by "
                    f"timm_multimix.train({name}=...)"
                )
        if self.model is not None:
            self._refuse(_OF_NAMES, "a model that is made already")

    def splits(self, options: TrainOptions) -> Splits:
        """What to train on and to evaluate on.

        Raises:
            UsageError: data that cannot be opened or used, and options that have no effect on it.
        """
        data, columns = options.data, flat(options.data.columns)
        if self.train_data is None:
            return load_splits(
                data.dataset, streaming=data.streaming, eval_on_train=data.eval_on_train, **columns
            )
        splits = open_objects(
            self.train_data,
            self.eval_data,
            num_classes=options.network.num_classes,
            **{name: columns[name] for name in _OF_TABLES},
        )
        for source in (splits.train, splits.evaluation):
            if isinstance(source, ObjectSource) and source.shape is not None:
                self._refuse((*_OF_PICTURES, *_AUGMENTATION), "images that are tensors already")
            elif isinstance(source, LoaderSource):
                self._refuse((*_OF_PICTURES, *_AUGMENTATION, *_OF_LOADERS), "a loader's batches")
        return splits

    def _refuse(self, names: Sequence[str], what: str) -> None:
        """Raises: UsageError if one of these options was given."""
        for name in names:
            if name in self.chosen:
                raise UsageError(f"{flag(name)} has no effect on {what}; leave it out")


NOTHING = Given()


def fit_to_tensors(options: TrainOptions, splits: Splits) -> TrainOptions:
    """Options whose input has the shape of the images, where these are tensors, used as they are.

    `mean` and `std`, where they are not given, say that nothing is subtracted or divided any more.
    """
    shape = getattr(splits.train, "shape", None)
    if shape is None:
        return options
    if len(shape) != 3:
        raise UsageError(f"the images of train_data must be [channels, height, width], got {list(shape)}")
    channels, height, width = shape
    fitting = {
        "in_chans": channels,
        "img_size": height if height == width else (height, width),
        "mean": (0.0,) * channels,
        "std": (1.0,) * channels,
    }
    fitting |= {"no_aug": True}
    if isinstance(splits.train, LoaderSource):
        fitting["batch_size"] = splits.train.batch_size
    return options.but(**{name: value for name, value in fitting.items() if name not in options.given})
