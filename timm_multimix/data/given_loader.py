"""Loaders of batches that are given as objects.

A loader has its own order; `GivenLoader` documents what of it is repeated in a resumed run.
"""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import UsageError
from ..randomness import derive_seed
from .batches import SampleKey
from .dataset import ImageDataset
from .object_labels import Labelling
from .random_states import random_states_kept, seed_all


class LoaderSource:
    """A loader in the place of a source of single images.

    Its `labelling` is set by whoever opens it, who looks at the first label.

    Raises:
        UsageError: it has no length, or gives other things than batches of images.
    """

    labelling: Labelling

    def __init__(self, loader: Any, title: str) -> None:
        if not len(loader):
            raise UsageError(f"{title} must have a length of at least one batch")
        self.loader, self.title = loader, title
        with random_states_kept():
            images, labels = read_batch(next(iter(loader)), f"batch 0 of {title}")
        self.first_label: Any = labels[0]
        self.shape: tuple[int, ...] = tuple(images.shape[1:])
        self.batch_size = len(images)

    def __len__(self) -> int:
        """Number of images in an epoch; if the dataset has no length, that of full batches."""
        dataset = getattr(self.loader, "dataset", None)
        full = len(self.loader) * self.batch_size
        return min(len(dataset), full) if isinstance(dataset, Sized) else full

    def __getitem__(self, index: int) -> tuple[Any, int]:
        raise UsageError(f"{self.title} gives batches, not single images")

    def describe(self, index: int) -> str:
        return f"image {index} of {self.title}"

    @property
    def task(self) -> str:
        """What the labels are for, one of `TASKS`."""
        return self.labelling.task

    @property
    def doubt(self) -> str | None:
        """The reason why a resumed run may see other batches, if one is known."""
        kept = getattr(self.loader, "persistent_workers", False)
        own = getattr(self.loader, "generator", None) is not None
        reason = "keeps its workers between epochs" if kept else "has a generator of its own" if own else None
        return reason and f"{self.title} {reason}, so a resumed run may see other batches than one in one go"


@dataclass
class LoaderBatches:
    """The batches of a loader by number, as `EpochBatches` has them."""

    count: int
    batch_size: int
    epoch: int = 0
    start_batch: int = 0
    world_size: int = 1

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Let the next pass yield `epoch`, from batch `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for number in range(self.start_batch, self.count):
            yield [SampleKey(number, self.epoch)]


class LoaderImages(ImageDataset):
    """The facts about a loader's images that a run needs: their number and class names."""

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
    """Batches (images [b, c, h, w], labels, valid [b]) of a loader that was given, used as they are.

    Python's, NumPy's and torch's global generators are seeded by (seed, epoch) before a pass begins and by
    (seed, epoch, batch) before each batch, so that a loader which draws from these alone, such as a
    DataLoader that shuffles, gives the same batches in a resumed run; one that begins within an epoch reads
    the batches before it once more. Not repeated is what a loader draws from a generator of its own, or in
    worker processes that it keeps between epochs.
    """

    def __init__(
        self, loader: Any, batches: LoaderBatches, seed: int, labelling: Labelling, title: str
    ) -> None:
        self.loader, self.batches, self.seed, self.title = loader, batches, seed, title
        self.labelling = labelling

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
        what = f"batch {number} of {self.title}"
        images, given = read_batch(batch, what)
        labels = self.labelling.read_batch(given, what)
        return images, labels, torch.ones(len(labels), dtype=torch.bool)

    def close(self) -> None:
        """Do nothing: the loader belongs to the user."""


def read_batch(batch: Any, title: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images [b, c, h, w] and labels [b, ...] of a batch.

    Raises:
        UsageError: it is no such pair.
    """
    pair = tuple(batch) if isinstance(batch, list | tuple) else ()
    if len(pair) != 2 or not all(isinstance(part, torch.Tensor) for part in pair):
        raise UsageError(f"{title} must be a pair of tensors (images, labels), got a {type(batch).__name__}")
    images, labels = pair
    if images.dim() != 4 or labels.shape[:1] != images.shape[:1] or labels.dim() > 2:
        raise UsageError(
            f"{title} must be images [b, c, h, w] and labels [b] or [b, c], got {list(images.shape)} and "
            f"{list(labels.shape)} of {labels.dtype}"
        )
    return images, labels
