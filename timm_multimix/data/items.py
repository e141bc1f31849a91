"""Map-style datasets of torch that are given as objects.

Their order and all random numbers are the trainer's, so that a resumed run is exact.
"""

from typing import Any

import torch
from PIL import Image

from ..errors import UsageError
from ..randomness import derive_seed
from .batches import SampleKey
from .dataset import ImageDataset, Sample
from .images import BrokenImage
from .object_labels import Labelling
from .random_states import seed_all


class ObjectSource:
    """A map-style dataset of (image, label) pairs: images as PIL, or tensors that are used as they are.

    Its `labelling` is set by whoever opens it, who looks at the first label.

    Raises:
        UsageError: it has no length or no indices, is empty, or its items are no such pairs.
    """

    labelling: Labelling

    def __init__(self, dataset: Any, title: str) -> None:
        self.dataset, self.title = dataset, title
        self.example, self.first_label = self.item(0)

    @property
    def task(self) -> str:
        """What the labels are for, one of `TASKS`."""
        return self.labelling.task

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, int | torch.Tensor]:
        image, label = self.item(index)
        return image, self.labelling.read(label, self.describe(index))

    def item(self, index: int) -> tuple[Any, Any]:
        """Return the image and the label of an item, without a check of the label."""
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


class ObjectImages(ImageDataset):
    """Items of an `ObjectSource`: its own randomness, too, is a function of (seed, epoch, index)."""

    source: ObjectSource

    def _sample(self, key: SampleKey) -> Sample:
        seed_all(derive_seed(self.seed, *key.stream))
        return super()._sample(key)


class ObjectTensors(ObjectImages):
    """Items whose images are tensors [c, h, w] already; all of the shape of the first."""

    def _sample(self, key: SampleKey) -> Sample:
        seed_all(derive_seed(self.seed, *key.stream))
        image, label = self.read(key.index)
        if tuple(image.shape) != self.source.shape:
            raise UsageError(
                f"the images of a dataset must have one shape, got {list(image.shape)} in "
                f"{self.describe(key.index)} and {list(self.source.shape or ())} in item 0"
            )
        return self.transform(image.float()), label, key.valid

    def read(self, index: int) -> tuple[Any, int | torch.Tensor]:
        return self.source[int(self._rows[index])]


def unchanged(image: Any) -> torch.Tensor:
    """The transform of images that are tensors."""
    tensor: torch.Tensor = image
    return tensor
