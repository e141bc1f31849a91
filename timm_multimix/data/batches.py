"""The assignment of samples to batches and processes, a pure function of seed and epoch."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

from ..errors import UsageError
from ..randomness import derive_seed


class SampleKey(NamedTuple):
    """The key of a sample, as a sampler gives it to a data loader.

    `valid` is false for padding of a batch; `repeat` numbers the copies of an image in an epoch,
    from 0.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    epoch: int = 0
    valid: bool = True
    repeat: int = 0

    @property
    def stream(self) -> tuple[int, ...]:
        """The integers that determine the randomness of the sample, with the seed."""
        return (self.epoch, self.index, self.repeat) if self.repeat else (self.epoch, self.index)


class EpochBatches(Sampler[list[SampleKey]]):
    """Batches of this process. All processes get equal numbers of batches, and in each of samples.

    Global batch k is cut from one order of the samples, common to all processes. The last one is dealt
    out evenly; where it does not divide, keys with `valid=False` fill up. With `drop_last` an incomplete
    global batch is left out; if it is the only one, just what does not divide among the processes is.

    repeats: how many copies of each image follow each other, each with an augmentation of its own; 0 and 1
    for one. An epoch is as long as without: it has the first images of the order only. With several
    processes, copies are on different ones. Source: "Augment your batch" (arXiv:1901.09335), in the form of
    repeated augmentation as DeiT has it, `timm.data.distributed_sampler.RepeatAugSampler`.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        repeats: float = 0,
    ) -> None:
        if length < 1 or batch_size < 1:
            raise UsageError(f"{length} samples in batches of {batch_size}: both must be at least 1")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank {rank} of {world_size} processes: must be at least 0 and less")
        self.length, self.batch_size = length, batch_size
        self.rank, self.world_size = rank, world_size
        self.seed, self.shuffle, self.drop_last = seed, shuffle, drop_last
        self.repeats = max(1.0, repeats)
        self.epoch, self.start_batch = 0, 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Let the next pass yield `epoch`, from batch `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Batches of this process in a whole epoch."""
        count = self.length / (self.batch_size * self.world_size)
        return max(1, math.floor(count)) if self.drop_last else math.ceil(count)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        epoch, order = self.epoch, self._repeated(self._order(self.epoch))
        for batch in range(self.start_batch, len(self)):
            yield self._keys(order, batch, epoch)

    def _order(self, epoch: int) -> torch.Tensor:
        if not self.shuffle:
            return torch.arange(self.length)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, epoch))
        return torch.randperm(self.length, generator=generator)

    def _repeated(self, order: torch.Tensor) -> torch.Tensor:
        """Return the images of an epoch in order, and the number of the copy: [length, 2]."""
        places = torch.arange(self.length)
        numbers = (places.double() / self.repeats).floor().long()
        return torch.stack([order[numbers], places - torch.searchsorted(numbers, numbers)], dim=1)

    def _keys(self, order: torch.Tensor, batch: int, epoch: int) -> list[SampleKey]:
        size = self.batch_size * self.world_size
        samples = order[batch * size : (batch + 1) * size]
        if self.drop_last and len(samples) >= self.world_size:
            samples = samples[: len(samples) // self.world_size * self.world_size]
        mine = samples[self.rank :: self.world_size].tolist()
        keys = [SampleKey(index, epoch, repeat=repeat) for index, repeat in mine]
        missing = math.ceil(len(samples) / self.world_size) - len(keys)
        return keys + [SampleKey(int(order[0, 0]), epoch, valid=False)] * missing
