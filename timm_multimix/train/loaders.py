"""The batches of a run, and what it left out of them."""

import copy
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator

from timm_multimix.data import EpochBatches, ImageDataset, Source, Splits, create_loader, create_transforms
from timm_multimix.data.cache import CachedLoader
from timm_multimix.data.dataset import Transform
from timm_multimix.data.loader import ImageLoader
from timm_multimix.data.noise import EncodedLabels, NoisyLabels
from timm_multimix.data.streaming import StreamedImages, StreamSource
from timm_multimix.errors import UsageError

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass
class Stream:
    """Batches of one split: images [b, c, h, w], labels [b], valid [b]."""

    dataset: ImageDataset
    batches: EpochBatches
    loader: ImageLoader | CachedLoader

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from one of them on."""
        self.batches.set_epoch(epoch, start_batch)
        return iter(self.loader)

    @property
    def batch_size(self) -> int:
        """The images in every training batch of this process, as an incomplete last one is left out."""
        return min(self.batches.batch_size, len(self.dataset) // self.batches.world_size)

    def updates(self, accumulation: int) -> int:
        """Optimizer updates in an epoch; the last may be of fewer batches."""
        return -(-len(self.batches) // accumulation)


def create_streams(
    options: Namespace, accelerator: Accelerator, splits: Splits, data_config: dict[str, Any]
) -> tuple[Stream, Stream]:
    """The training batches and the evaluation batches of this process.

    Raises:
        UsageError: for transforms that timm cannot make, or fewer samples than processes.
    """
    train, evaluation = create_transforms(options, data_config)

    def stream(source: Source, transform: Transform, batch_size: int, **order: bool) -> Stream:
        streamed = isinstance(source, StreamSource)
        dataset = (StreamedImages if streamed else ImageDataset)(
            source,
            transform,
            channels=data_config["input_size"][0],
            seed=options.seed,
            skip_broken=options.skip_broken,
            workers=options.workers,
        )
        if len(dataset) < accelerator.num_processes:
            processes = accelerator.num_processes
            raise UsageError(f"{options.dataset}: a split of {len(dataset)} images for {processes} processes")
        batches = EpochBatches(
            len(dataset),
            batch_size,
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
            seed=options.seed,
            **order,
        )
        workers = min(options.workers, 1) if streamed else options.workers  # a second would read it all again
        if options.cache != "off":
            cached = CachedLoader(dataset, batches, options.cache, accelerator.device, options.workers)
            return Stream(dataset, batches, cached)
        loader = create_loader(dataset, batches, workers=workers, pin_memory=options.pin_mem)
        return Stream(dataset, batches, loader)

    return (
        stream(splits.train, train, options.batch_size, shuffle=not options.streaming, drop_last=True),
        stream(splits.evaluation, evaluation, options.validation_batch_size or options.batch_size),
    )


def create_memory(
    options: Namespace, accelerator: Accelerator, train: ImageDataset, transform: Transform
) -> Stream | None:
    """The training images in order and by the evaluation's transform, labelled by `EncodedLabels`.

    None without --label-noise.
    """
    if not isinstance(train.source, NoisyLabels):
        return None
    dataset = copy.copy(train)  # the same images, those left out as broken excepted
    dataset.source, dataset.transform = EncodedLabels(train.source), transform
    batches = EpochBatches(
        len(dataset),
        options.validation_batch_size or options.batch_size,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
    )
    loader = create_loader(dataset, batches, workers=options.workers, pin_memory=options.pin_mem)
    return Stream(dataset, batches, loader)
