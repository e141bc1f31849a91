"""Images of a source as tensors, with random numbers that are a function of the sample."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from ..errors import UsageError
from ..randomness import derive_seed
from .batches import SampleKey
from .images import BrokenImage, check_channels, to_channels
from .random_states import random_states_kept, seed_all
from .sources import Source

Transform = Callable[[Image.Image], torch.Tensor]
Sample = tuple[torch.Tensor, Any, bool]


class ImageDataset(Dataset[Sample]):
    """Samples (image [c, h, w], label, valid), with randomness of the seed and `SampleKey.stream` alone.

    `broken` holds the messages about the images that `skip_broken` left out, after reading all of them
    once with `workers` threads; without it a broken image raises when its turn comes.

    Raises: UsageError for a number of channels other than 1 or 3, or if no image is left.
    """

    def __init__(
        self,
        source: Source,
        transform: Transform,
        *,
        channels: int = 3,
        seed: int = 0,
        skip_broken: bool = False,
        workers: int = 0,
    ) -> None:
        check_channels(channels)
        self.source, self.transform, self.channels, self.seed = source, transform, channels, seed
        self.broken: list[str] = []
        self._rows = np.arange(len(source))
        if skip_broken:
            self._leave_out_broken(workers)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> np.ndarray:
        """The numbers [n] in the source of the images that are not left out."""
        return self._rows

    def __getitem__(self, key: SampleKey) -> Sample:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[SampleKey]) -> list[Sample]:
        """A batch of samples; the caller's own random states stay as they are."""
        with random_states_kept():
            return [self._sample(key) for key in keys]

    def read(self, index: int) -> tuple[Image.Image, Any]:
        """The image before the transform, and its label. Raises: UsageError, which names it, if broken."""
        row = int(self._rows[index])
        image, label = self.source[row]
        return to_channels(image, self.channels, lambda: self.source.describe(row)), label

    def describe(self, index: int) -> str:
        """The file or the row of an image."""
        return self.source.describe(int(self._rows[index]))

    advice = "; `skip_broken` leaves such images out"

    def _sample(self, key: SampleKey) -> Sample:
        try:
            image, label = self.read(key.index)
        except BrokenImage as error:
            raise UsageError(f"{error}{self.advice}") from error
        seed_all(derive_seed(self.seed, *key.stream))
        return self.transform(image), label, key.valid

    def _leave_out_broken(self, workers: int) -> None:
        with ThreadPoolExecutor(max(1, workers)) as pool:
            parts = np.array_split(self._rows, max(1, len(self) // 256))
            messages = [message for part in pool.map(partial(_complaints, self), parts) for message in part]
        self.broken = [message for message in messages if message is not None]
        self._rows = self._rows[[message is None for message in messages]]
        if not len(self._rows):
            raise UsageError(f"all {len(self.broken)} images are broken; the first: {self.broken[0]}")


def _complaints(dataset: ImageDataset, rows: np.ndarray) -> list[str | None]:
    return [_complaint(dataset, int(row)) for row in rows]


def _complaint(dataset: ImageDataset, row: int) -> str | None:
    try:
        dataset.read(row)
    except UsageError as error:
        return str(error)
    return None
