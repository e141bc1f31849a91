"""Data given as Python objects: datasets of torch and of the `datasets` library, and loaders of batches.

Of a map-style dataset the order and all randomness are ours, so that a resumed run is exact. A loader has an
order of its own: `GivenLoader` says what of it is repeated.
"""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import IterableDataset, Subset, TensorDataset

from ..errors import UsageError
from ..options.data import OBJECT
from ..randomness import derive_seed
from .batches import SampleKey
from .collection import Tables
from .dataset import ImageDataset, Sample, random_states_kept, seed_all
from .held_out import HeldOut
from .images import BrokenImage
from .request import Request
from .sources import Source
from .split_names import EVALUATION_NAMES, TRAIN_NAMES, choose_split
from .splits import Splits, check_classes


def object_name(value: object) -> str:
    """What a run's record calls an object."""
    return f"{OBJECT}{type(value).__name__}"


class ObjectSource:
    """A map-style dataset of (image, label) pairs: images as PIL, or tensors that are used as they are.

    Raises:
        UsageError: it has no length or no indices, is empty, or its items are no such pairs.
    """

    def __init__(self, dataset: Any, title: str, class_names: list[str]) -> None:
        self.dataset, self.title, self.class_names = dataset, title, class_names
        self.example = self.item(0)[0]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self.item(index)
        return image, self._class_index(label, index)

    def item(self, index: int) -> tuple[Any, Any]:
        """The image and the label of an item, whatever they are."""
        try:
            image, label = self.dataset[index]
        except OSError as error:  # as PIL raises
            raise BrokenImage(f"broken image, {self.describe(index)}: {error}") from error
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.describe(index)} must be a pair (image, label): {error}") from error
        if not isinstance(image, Image.Image | torch.Tensor):
            raise UsageError(
                f"the image of {self.describe(index)} must be a PIL image or a tensor, got a "
                f"{type(image).__name__}"
            )
        return image, label

    def describe(self, index: int) -> str:
        return f"item {index} of {self.title}"

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(channels, height, width) of the first image, if images are tensors."""
        return tuple(self.example.shape) if isinstance(self.example, torch.Tensor) else None

    def _class_index(self, label: Any, index: int) -> int:
        number = label.item() if isinstance(label, torch.Tensor | np.ndarray) and label.ndim == 0 else label
        whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
        if not whole or not 0 <= number < len(self.class_names):
            allowed = f"an integer from 0 to {len(self.class_names) - 1}"
            raise UsageError(f"the label of {self.describe(index)} must be {allowed}, got {label!r}")
        return int(number)


class ObjectImages(ImageDataset):
    """Items of an `ObjectSource`: its own randomness, too, is a function of (seed, epoch, index)."""

    source: ObjectSource

    def _sample(self, key: SampleKey) -> Sample:
        seed_all(derive_seed(self.seed, key.epoch, key.index))
        return super()._sample(key)


class ObjectTensors(ObjectImages):
    """Items whose images are tensors [c, h, w] already; all of the shape of the first."""

    def _sample(self, key: SampleKey) -> Sample:
        seed_all(derive_seed(self.seed, key.epoch, key.index))
        image, label = self.read(key.index)
        if tuple(image.shape) != self.source.shape:
            raise UsageError(
                f"the images of a dataset must have one shape, got {list(image.shape)} in "
                f"{self.describe(key.index)} and {list(self.source.shape or ())} in item 0"
            )
        return self.transform(image.float()), label, key.valid

    def read(self, index: int) -> tuple[Any, int]:
        return self.source[int(self._rows[index])]


def unchanged(image: Any) -> torch.Tensor:
    """The transform of images that are tensors."""
    tensor: torch.Tensor = image
    return tensor


@dataclass
class LoaderBatches:
    """The batches of a loader by number, as `EpochBatches` has them."""

    count: int
    batch_size: int
    epoch: int = 0
    start_batch: int = 0
    world_size: int = 1

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """The next pass gives `epoch`, from batch `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for number in range(self.start_batch, self.count):
            yield [SampleKey(number, self.epoch)]


class LoaderImages(ImageDataset):
    """What a run needs to know of a loader's images: how many there are, and what they are called."""

    source: Any
    transform: Any

    def __init__(self, count: int, title: str) -> None:
        self.count, self.title, self.source, self.transform = count, title, None, None
        self.broken: list[str] = []

    def __len__(self) -> int:
        return self.count

    def describe(self, index: int) -> str:
        """The batch of this number."""
        return f"batch {index} of {self.title}"


class GivenLoader:
    """Batches (images [b, c, h, w], labels [b], valid [b]) of a loader that was given, used as they are.

    Python's, NumPy's and torch's global generators are seeded by (seed, epoch) before a pass begins and by
    (seed, epoch, batch) before each batch, so that a loader which draws from these alone, such as a
    DataLoader that shuffles, gives the same batches in a resumed run; one that begins within an epoch reads
    the batches before it once more. Not repeated is what a loader draws from a generator of its own, or in
    worker processes that it keeps between epochs.
    """

    def __init__(self, loader: Any, batches: LoaderBatches, seed: int, classes: int, title: str) -> None:
        self.loader, self.batches, self.seed, self.classes, self.title = loader, batches, seed, classes, title

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        epoch, start = self.batches.epoch, self.batches.start_batch
        with random_states_kept():
            seed_all(derive_seed(self.seed, epoch))
            self._tell_epoch(epoch)
            running = iter(self.loader)
        for number in range(len(self.batches)):
            with random_states_kept():
                seed_all(derive_seed(self.seed, epoch, number))
                batch = next(running, None)
            if batch is None:
                raise UsageError(f"{self.title} gave {number} batches, but its length is {len(self.batches)}")
            if number >= start:
                yield self._checked(batch, number)

    def _tell_epoch(self, epoch: int) -> None:
        for part in (
            self.loader,
            getattr(self.loader, "batch_sampler", None),
            getattr(self.loader, "sampler", None),
        ):
            set_epoch: Any = getattr(part, "set_epoch", None)
            if set_epoch is not None:
                set_epoch(epoch)

    def _checked(self, batch: Any, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, labels = read_batch(batch, f"batch {number} of {self.title}")
        if int(labels.min()) < 0 or int(labels.max()) >= self.classes:
            raise UsageError(
                f"labels in batch {number} of {self.title} must be from 0 to {self.classes - 1}, got "
                f"{int(labels.min())} to {int(labels.max())}"
            )
        return images, labels, torch.ones(len(labels), dtype=torch.bool)

    def close(self) -> None:
        """Nothing to end: the loader is its owner's."""


def read_batch(batch: Any, title: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images [b, c, h, w] and labels [b] of a batch.

    Raises:
        UsageError: it is no such pair.
    """
    pair = tuple(batch) if isinstance(batch, list | tuple) else ()
    if len(pair) != 2 or not all(isinstance(part, torch.Tensor) for part in pair):
        raise UsageError(f"{title} must be a pair of tensors (images, labels), got a {type(batch).__name__}")
    images, labels = pair
    if images.dim() != 4 or labels.shape != images.shape[:1] or labels.is_floating_point():
        raise UsageError(
            f"{title} must be images [b, c, h, w] and class indices [b], got {list(images.shape)} and "
            f"{list(labels.shape)} of {labels.dtype}"
        )
    return images, labels.long()


class LoaderSource:
    """A loader in the place of a source of single images.

    Raises:
        UsageError: it has no length, or gives other things than batches of images.
    """

    def __init__(self, loader: Any, title: str, class_names: list[str]) -> None:
        if not len(loader):
            raise UsageError(f"{title} must have a length of at least one batch")
        self.loader, self.title, self.class_names = loader, title, class_names
        with random_states_kept():
            images, _ = read_batch(next(iter(loader)), f"batch 0 of {title}")
        self.shape: tuple[int, ...] = tuple(images.shape[1:])
        self.batch_size = len(images)

    def __len__(self) -> int:
        """The images of an epoch; of a loader whose dataset has no length, as if all batches were full."""
        dataset = getattr(self.loader, "dataset", None)
        full = len(self.loader) * self.batch_size
        return min(len(dataset), full) if isinstance(dataset, Sized) else full

    def __getitem__(self, index: int) -> tuple[Any, int]:
        raise UsageError(f"{self.title} gives batches, not single images")

    def describe(self, index: int) -> str:
        return f"image {index} of {self.title}"

    @property
    def doubt(self) -> str | None:
        """Why a resumed run may see other batches, as far as can be told."""
        kept = getattr(self.loader, "persistent_workers", False)
        own = getattr(self.loader, "generator", None) is not None
        reason = "keeps its workers between epochs" if kept else "has a generator of its own" if own else None
        return reason and f"{self.title} {reason}, so a resumed run may see other batches than one in one go"


def open_objects(
    train: Any,
    evaluation: Any,
    *,
    train_split: str | None = None,
    val_split: str | None = None,
    val_split_seed: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    num_classes: int | None = None,
) -> Splits:
    """What to train on and to evaluate on, of objects.

    Args:
        train: a map-style dataset of torch, a `datasets.Dataset`, a `DatasetDict`, or a loader of batches.
        evaluation: likewise; None for a `DatasetDict` in `train`, which has both.
        train_split: of a `DatasetDict`, the split to train on.
        val_split: of a `DatasetDict`, the split to evaluate on; or, without `evaluation`, the fraction of a
            `datasets.Dataset` to hold out.
        val_split_seed: chooses what is held out.
        image_column: of a `datasets.Dataset`, the column of the images.
        label_column: of a `datasets.Dataset`, the column of the labels.
        num_classes: how many classes there are, for objects that do not say so.

    Raises:
        UsageError: an object of another kind, classes that are not known, or that differ.
    """
    columns = image_column, label_column
    if isinstance(train, dict) and evaluation is None:
        both = _tables("train_data", train, columns)
        train_name = choose_split(both, train_split, TRAIN_NAMES, "train_split")
        evaluation_name = choose_split(both, val_split, EVALUATION_NAMES, "val_split")
        first, names = both.open(train_name, None)
        second, others = both.open(evaluation_name, names)
    elif evaluation is None:
        return _held_out(train, HeldOut.parse(val_split, val_split_seed), columns)
    else:
        train_name, evaluation_name = "train_data", "eval_data"
        first, names = open_object(train, train_name, columns, num_classes=num_classes)
        second, others = open_object(evaluation, evaluation_name, columns, class_names=names)
    check_classes(names, others, train_name, evaluation_name, object_name(train))
    notes = [source.doubt for source in (first,) if isinstance(source, LoaderSource) and source.doubt]
    return Splits(first, second, train_name, evaluation_name, names, {}, notes)


def _held_out(train: Any, held_out: HeldOut | None, columns: tuple[str | None, str | None]) -> Splits:
    """A `datasets.Dataset`, a part of which is held out to evaluate on."""
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
    columns: tuple[str | None, str | None] = (None, None),
    *,
    class_names: list[str] | None = None,
    num_classes: int | None = None,
) -> tuple[Source, list[str]]:
    """One split of an object, and its classes.

    Args:
        data: a map-style dataset of torch, a `datasets.Dataset`, or a loader of batches.
        title: what messages call it.
        columns: of a `datasets.Dataset`, those of images and labels.
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
    loader = not hasattr(data, "__getitem__")
    names = find_class_names(getattr(data, "dataset", data) if loader else data) or class_names
    if names is None and num_classes is None:
        raise UsageError(f"the classes of {title} are not known; give num_classes")
    names = names or [str(number) for number in range(num_classes or 0)]
    source: Any = (LoaderSource if loader else ObjectSource)(data, title, names)
    return source, names


def find_class_names(dataset: Any) -> list[str] | None:
    """The names of the classes, if a dataset or the one it is a part of says them."""
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


def _tables(name: str, splits: Any, columns: tuple[str | None, str | None]) -> Tables:
    """`datasets.Dataset`s by split; rows that were selected or shuffled are written out in their order."""
    loaders = {
        str(split): table.flatten_indices if table._indices else (lambda table=table: table)
        for split, table in splits.items()
    }
    image, label = columns
    return Tables(Request(dataset=name, image_column=image, label_column=label), loaders)
