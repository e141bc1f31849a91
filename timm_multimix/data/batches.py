"""Which samples make up which batch, on which process: a pure function of seed and epoch."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

from ..errors import UsageError
from ..randomness import derive_seed


class SampleKey(NamedTuple):
    """What a data loader asks for; `valid` is false for a sample that only fills a batch up."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    epoch: int = 0
    valid: bool = True


class EpochBatches(Sampler[list[SampleKey]]):
    """Batches of this process. All processes get equal numbers of batches, and in each of samples.

    Global batch k is cut from one order of the samples, common to all processes. The last one is dealt
    out evenly; where it does not divide, keys with `valid=False` fill up. With `drop_last` an incomplete
    global batch is left out; if it is the only one, just what does not divide among the processes is.
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
    ) -> None:
        if length < 1 or batch_size < 1:
            raise UsageError(f"{length} samples in batches of {batch_size}: both must be at least 1")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank {rank} of {world_size} processes: must be at least 0 and less")
        self.length, self.batch_size = length, batch_size
        self.rank, self.world_size = rank, world_size
        self.seed, self.shuffle, self.drop_last = seed, shuffle, drop_last
        self.epoch, self.start_batch = 0, 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """The next pass gives `epoch`, from batch `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Batches of this process in a whole epoch."""
        count = self.length / (self.batch_size * self.world_size)
        return max(1, math.floor(count)) if self.drop_last else math.ceil(count)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        epoch, order = self.epoch, self._order(self.epoch)
        for batch in range(self.start_batch, len(self)):
            yield self._keys(order, batch, epoch)

    def _order(self, epoch: int) -> torch.Tensor:
        if not self.shuffle:
            return torch.arange(self.length)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, epoch))
        return torch.randperm(self.length, generator=generator)

    def _keys(self, order: torch.Tensor, batch: int, epoch: int) -> list[SampleKey]:
        size = self.batch_size * self.world_size
        samples = order[batch * size : (batch + 1) * size]
        if self.drop_last and len(samples) >= self.world_size:
            samples = samples[: len(samples) // self.world_size * self.world_size]
        mine = samples[self.rank :: self.world_size].tolist()
        keys = [SampleKey(index, epoch) for index in mine]
        missing = math.ceil(len(samples) / self.world_size) - len(keys)
        return keys + [SampleKey(int(order[0]), epoch, valid=False)] * missing
