"""Datasets that fit into memory: decoded once to 8 bits, augmented in batches on the device."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torchvision import transforms

from ..errors import UsageError
from .augment import BatchAugmentation
from .batches import EpochBatches
from .dataset import ImageDataset
from .loader import create_loader
from .plan import Plan


class CachedLoader:
    """Batches (images [b, c, h, w] on the device, labels [b], valid [b]) of images held in memory.

    plan: takes the place of the dataset's transform. cache: `device` holds the images where they are
    augmented, `ram` in the memory of the computer. All are decoded here, by `workers` processes.

    Raises: UsageError for augmentations that have no form for batches, images of different sizes
    or that cannot be read, and too little memory.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        plan: Plan,
        batches: EpochBatches,
        cache: str,
        device: torch.device,
        workers: int = 0,
    ) -> None:
        self.batches, self.device = batches, device
        self.augment = BatchAugmentation(
            plan.batched(), plan.normalize.mean, plan.normalize.std, dataset.seed
        )
        self.pictures, self.labels = decode_all(dataset, plan.resize, workers, cache, device)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        for keys in self.batches:
            indices = torch.tensor([key.index for key in keys])
            valid = torch.tensor([key.valid for key in keys])
            streams = torch.tensor([key.index + key.repeat * len(self.pictures) for key in keys])
            place = self.pictures.device
            images = self.augment(
                self.pictures, indices.to(place), streams.to(place), keys[0].epoch, self.device
            )
            yield images, self.labels[indices], valid

    def close(self) -> None:
        """Do nothing: the worker processes have already ended."""


class ToBytes:
    """Converts an image to an 8-bit tensor [h, w, c], of the shape of the first one."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None

    def __call__(self, image: Image.Image) -> torch.Tensor:
        pixels = np.array(image).reshape(image.height, image.width, -1)
        self.shape = self.shape or pixels.shape
        if pixels.shape != self.shape:
            sizes = f"{image.width}x{image.height} and {self.shape[1]}x{self.shape[0]}"
            raise UsageError(f"`cache` needs images of one size after resizing; given are {sizes}")
        return torch.from_numpy(pixels)


def decode_all(
    dataset: ImageDataset, steps: Sequence[Callable[..., Any]], workers: int, cache: str, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images [n, h, w, c] after these steps, in 8 bits, and their labels [n]."""
    to_bytes, plain = ToBytes(), copy.copy(dataset)
    plain.transform = transforms.Compose([*steps, to_bytes])
    first, label, _ = plain[next(iter(EpochBatches(len(plain), 1)))[0]]
    place = device if cache == "device" else torch.device("cpu")
    _check_memory(first.numel() * len(plain), cache, place)
    pictures = torch.empty(len(plain), *first.shape, dtype=torch.uint8, device=place)
    labels = torch.as_tensor(label).new_empty(len(plain), *torch.as_tensor(label).shape)
    loader, done = create_loader(plain, EpochBatches(len(plain), 256), workers=workers), 0
    try:
        for images, numbers, _ in loader:
            pictures[done : done + len(images)], labels[done : done + len(images)] = images, numbers
            done += len(images)
    finally:
        loader.close()
    return pictures, labels


def _check_memory(needed: int, cache: str, place: torch.device) -> None:
    free = torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else psutil.virtual_memory().available
    if needed > free:
        sizes = f"{needed / 2**30:.1f} GiB of images, {free / 2**30:.1f} GiB are free"
        raise UsageError(f"`cache` {cache}: {sizes}; train without it")
