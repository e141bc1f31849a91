"""Data sets that fit into memory: decoded once to 8 bits, augmented in batches on the device."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torchvision import transforms

from ..errors import UsageError
from .augment import Augmentation, BatchAugmentation
from .batches import EpochBatches
from .dataset import ImageDataset
from .loader import create_loader
from .steps import PaddedCrop, ToNormalised

_ALLOWED = "`crop_padding`, flips and `color_jitter`, or `no_aug`"


class CachedLoader:
    """Batches (images [b, c, h, w] on the device, labels [b], valid [b]) of pictures held in memory.

    cache: `device` holds them where they are augmented, `ram` in the memory of the computer. All are decoded
    here, by `workers` processes.

    Raises: UsageError for augmentations that are done picture by picture only, pictures of different sizes
    or that cannot be read, and too little memory.
    """

    def __init__(
        self, dataset: ImageDataset, batches: EpochBatches, cache: str, device: torch.device, workers: int = 0
    ) -> None:
        steps = list(dataset.transform.transforms)  # type: ignore[attr-defined]
        first, plan, normalise = split_steps(steps)
        self.batches, self.device = batches, device
        self.augment = BatchAugmentation(plan, normalise.mean, normalise.std, dataset.seed)
        self.pictures, self.labels = decode_all(dataset, first, workers, cache, device)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        for keys in self.batches:
            indices = torch.tensor([key.index for key in keys])
            valid = torch.tensor([key.valid for key in keys])
            images = self.augment(self.pictures, indices.to(self.pictures.device), keys[0].epoch, self.device)
            yield images, self.labels[indices], valid

    def close(self) -> None:
        """Nothing to end: there are no worker processes any more."""


def split_steps(steps: list[Any]) -> tuple[list[Any], Augmentation, ToNormalised]:
    """A transform as what is done once to each picture, and what is done to batches.

    Raises: UsageError for a step that neither can do.
    """
    end = next(place for place, step in enumerate(steps) if isinstance(step, ToNormalised))
    begin = next((k for k, step in enumerate(steps[:end]) if isinstance(step, PaddedCrop)), None)
    if steps[end + 1 :]:
        raise _refusal(steps[end + 1])
    if begin is None:
        if random_steps := [step for step in steps[:end] if _is_random(step)]:
            raise _refusal(random_steps[0])
        return steps[:end], Augmentation(), steps[end]
    return steps[:begin], _plan(steps[begin:end]), steps[end]


def _plan(steps: list[Any]) -> Augmentation:
    given: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, PaddedCrop):
            given |= {"size": step.size, "padding": step.padding}
        elif isinstance(step, transforms.RandomHorizontalFlip):
            given["hflip"] = step.p
        elif isinstance(step, transforms.RandomVerticalFlip):
            given["vflip"] = step.p
        elif isinstance(step, transforms.ColorJitter) and step.hue is None:
            ranges = (step.brightness, step.contrast, step.saturation)
            given["jitter"] = tuple(0.0 if pair is None else pair[1] - 1 for pair in ranges)
        else:
            raise _refusal(step)
    return Augmentation(**given)


def _is_random(step: Any) -> bool:
    return "Random" in type(step).__name__ or isinstance(step, transforms.ColorJitter) or hasattr(step, "ops")


def _refusal(step: Any) -> UsageError:
    return UsageError(f"`cache`: {type(step).__name__} is done picture by picture; allowed are {_ALLOWED}")


class ToBytes:
    """A picture as the 8-bit tensor [h, w, c], of the shape of the first one."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None

    def __call__(self, image: Image.Image) -> torch.Tensor:
        pixels = np.array(image).reshape(image.height, image.width, -1)
        self.shape = self.shape or pixels.shape
        if pixels.shape != self.shape:
            sizes = f"{image.width}x{image.height} beside {self.shape[1]}x{self.shape[0]}"
            raise UsageError(f"`cache` needs pictures of one size after resizing; given are {sizes}")
        return torch.from_numpy(pixels)


def decode_all(
    dataset: ImageDataset, steps: list[Any], workers: int, cache: str, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures [n, h, w, c] after these steps, 8 bits, and their labels [n]."""
    to_bytes, plain = ToBytes(), copy.copy(dataset)
    plain.transform = transforms.Compose([*steps, to_bytes])
    first = plain[next(iter(EpochBatches(len(plain), 1)))[0]][0]
    place = device if cache == "device" else torch.device("cpu")
    _check_memory(first.numel() * len(plain), cache, place)
    pictures = torch.empty(len(plain), *first.shape, dtype=torch.uint8, device=place)
    labels = torch.empty(len(plain), dtype=torch.long)
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
        sizes = f"{needed / 2**30:.1f} GiB of pictures, {free / 2**30:.1f} GiB are free"
        raise UsageError(f"`cache` {cache}: {sizes}; train without it")
