"""Batches of tensors from any number of worker processes."""

import multiprocessing
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from .._compat.torch import shut_down_workers
from ..errors import UsageError
from .batches import EpochBatches, SampleKey
from .dataset import ImageDataset, Sample
from .workers import leave_signals_to_the_run


def create_loader(
    dataset: ImageDataset, batches: EpochBatches, *, workers: int = 0, pin_memory: bool = False
) -> "ImageLoader":
    """A loader of (images [b, c, h, w], labels [b], valid [b]); its workers stay alive between epochs.

    It leaves the global random states alone, and `batches.set_epoch` takes effect with the next pass.
    A broken image raises the same one-line UsageError with and without workers.
    """
    return ImageLoader(
        _ErrorsAsValues(dataset),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        worker_init_fn=leave_signals_to_the_run,
        generator=torch.Generator(),  # what torch draws for its workers comes from here
        multiprocessing_context=_start_method() if workers else None,
    )


def _start_method() -> str | None:
    """Return how workers start: on Linux by fork, unless the program chose a way other than the default.

    Python 3.14 starts them from a server process: each then gets a copy of the images cached in memory, which
    fork shares, and lives on when the run is killed, as torch's workers watch the process that started them.
    """
    default = multiprocessing.get_all_start_methods()[0]
    chosen = multiprocessing.get_start_method(allow_none=True)
    return "fork" if sys.platform == "linux" and chosen in (None, default) else None


class _ErrorsAsValues(Dataset[Any]):
    """Returns a UsageError as the batch, since torch would wrap it into a worker's traceback."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: SampleKey) -> Sample:
        return self.dataset[key]

    def __getitems__(self, keys: list[SampleKey]) -> list[Sample] | UsageError:
        try:
            return self.dataset.__getitems__(keys)
        except UsageError as error:
            return UsageError(str(error))  # without its cause, which need not be picklable


class ImageLoader(DataLoader[Any]):
    """A DataLoader that raises the errors of its workers as they were raised."""

    def __iter__(self) -> Any:
        return _checked(super().__iter__())  # starts the workers now, not at the first batch

    def close(self) -> None:
        """Ends the workers at once; a loader left to the garbage collector can take 5 s for each of them."""
        if self._iterator is not None:
            # an error's traceback may hold the iterator as well
            shut_down_workers(self._iterator)
            multiprocessing.active_children()  # collects those that were killed
        self._iterator = None


def _checked(batches: Iterator[Any]) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    for batch in batches:
        if isinstance(batch, UsageError):
            raise UsageError(*batch.args)  # a new one: `batch` would tie this frame into a cycle
        yield batch


def _collate(samples: list[Sample] | UsageError) -> Any:
    return samples if isinstance(samples, UsageError) else tuple(default_collate(samples))
