"""The batches of a run, and its record of skipped images."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator

from ..data.batches import EpochBatches
from ..data.cache import CachedLoader
from ..data.dataset import ImageDataset, Transform
from ..data.given_loader import GivenLoader, LoaderBatches, LoaderImages, LoaderSource
from ..data.items import ObjectImages, ObjectSource, ObjectTensors, unchanged
from ..data.loader import ImageLoader, create_loader
from ..data.noise import LabelFacts, NoisyLabels
from ..data.plan import Plan
from ..data.sources import Source
from ..data.splits import Splits
from ..data.streaming import StreamedImages, StreamSource
from ..data.transforms import create_transforms
from ..errors import UsageError
from ..options.data import AugmentationOptions, DataOptions
from .distributed import check_same_broken

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass
class Stream:
    """Batches of one split: images [b, c, h, w], labels [b], valid [b]."""

    dataset: ImageDataset
    batches: EpochBatches | LoaderBatches
    loader: ImageLoader | CachedLoader | GivenLoader

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from a given one on."""
        self.batches.set_epoch(epoch, start_batch)
        return iter(self.loader)

    @property
    def batch_size(self) -> int:
        """Number of images in every training batch of this process; an incomplete last one is left out."""
        return min(self.batches.batch_size, len(self.dataset) // self.batches.world_size)

    def updates(self, accumulation: int) -> int:
        """Return the number of optimizer updates in an epoch; the last may have fewer batches."""
        return -(-len(self.batches) // accumulation)


def create_streams(
    data: DataOptions,
    augmentation: AugmentationOptions,
    seed: int,
    accelerator: Accelerator,
    splits: Splits,
    data_config: dict[str, Any],
) -> tuple[Stream, Stream]:
    """Create the training batches and the evaluation batches of this process.

    Raises:
        UsageError: transforms that timm cannot create, or fewer samples than processes.
    """
    train, evaluation = create_transforms(augmentation, data_config)

    def stream(source: Source, plan: Plan, batch_size: int, **order: Any) -> Stream:
        if isinstance(source, LoaderSource):
            return stream_of_loader(source, seed, accelerator)
        kind, streamed = dataset_kind(source), isinstance(source, StreamSource)
        dataset = kind(
            source,
            unchanged if kind is ObjectTensors else plan,
            channels=3 if kind is ObjectTensors else data_config["input_size"][0],
            seed=seed,
            skip_broken=data.skip_broken,
            workers=data.loading.workers,
        )
        if data.skip_broken:
            check_same_broken(dataset.broken)
        if len(dataset) < accelerator.num_processes:
            processes = accelerator.num_processes
            raise UsageError(
                f"{data.dataset}: a split must have an image for each of {processes} processes, "
                f"got {len(dataset)}"
            )
        batches = EpochBatches(
            len(dataset),
            batch_size,
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
            seed=seed,
            **order,
        )
        # a second process would read all of a stream again
        workers = min(data.loading.workers, 1) if streamed else data.loading.workers
        if data.cache != "off":
            cached = CachedLoader(
                dataset, plan, batches, data.cache, accelerator.device, data.loading.workers
            )
            return Stream(dataset, batches, cached)
        loader = create_loader(dataset, batches, workers=workers, pin_memory=data.loading.pin_mem)
        return Stream(dataset, batches, loader)

    return (
        stream(
            splits.train,
            train,
            data.loading.batch_size,
            shuffle=not data.streaming,
            drop_last=True,
            repeats=data.aug_repeats,
        ),
        stream(splits.evaluation, evaluation, data.validation_batch_size or data.loading.batch_size),
    )


def dataset_kind(source: Source) -> type[ImageDataset]:
    """Return the class of dataset for a source of images."""
    if isinstance(source, StreamSource):
        return StreamedImages
    if isinstance(source, ObjectSource):
        return ObjectImages if source.shape is None else ObjectTensors
    return ImageDataset


def stream_of_loader(source: LoaderSource, seed: int, accelerator: Accelerator) -> Stream:
    """Wrap the batches of a loader.

    Raises:
        UsageError: there are several processes, which would all train on the same batches.
    """
    if accelerator.num_processes > 1:
        raise UsageError(
            f"{source.title} is a loader, which is for one process, not {accelerator.num_processes}; "
            "give its dataset"
        )
    batches = LoaderBatches(len(source.loader), source.batch_size)
    loader = GivenLoader(source.loader, batches, seed, source.labelling, source.title)
    return Stream(LoaderImages(len(source), source.title), batches, loader)


def create_memorization(
    data: DataOptions, accelerator: Accelerator, train: ImageDataset, transform: Transform
) -> Stream | None:
    """Create batches of the training images in order, with the evaluation's transform and `LabelFacts`.

    None without --label-noise.
    """
    if not isinstance(train.source, NoisyLabels):
        return None
    dataset = copy.copy(train)  # the same images, those left out as broken excepted
    dataset.source, dataset.transform = LabelFacts(train.source), transform
    batches = EpochBatches(
        len(dataset),
        data.validation_batch_size or data.loading.batch_size,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
    )
    loader = create_loader(dataset, batches, workers=data.loading.workers, pin_memory=data.loading.pin_mem)
    return Stream(dataset, batches, loader)
