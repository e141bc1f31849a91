"""The augmentation plan: the steps from decoded image to normalized tensor, for one image or for a batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from ..errors import UsageError
from .augment import Augmentation
from .steps import ToNormalised


@dataclass(frozen=True)
class Step:
    """A random step.

    Attributes:
        name: what a message calls it, with the option that asks for it.
        transform: the step for one image.
        batch: the fields of `Augmentation` that do the same to a batch; None where there is no such form.
    """

    name: str
    transform: Callable[[Any], Any]
    batch: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """The steps of one split. Called, it is the transform of one image: PIL image -> float tensor [c, h, w].

    Attributes:
        resize: the first steps, which a cache does once.
        augment: random steps on 8-bit images.
        normalize: from 8 bits to the normalized tensor.
        erase: random steps on the normalized tensor.
    """

    resize: tuple[Callable[[Image.Image], Image.Image], ...]
    augment: tuple[Step, ...]
    normalize: ToNormalised
    erase: tuple[Step, ...] = ()

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Transform one image, with the global random states as they are."""
        for resize in self.resize:
            image = resize(image)
        for step in self.augment:
            image = step.transform(image)
        tensor = self.normalize(image)
        for step in self.erase:
            tensor = step.transform(tensor)
        return tensor

    def batched(self) -> Augmentation:
        """The random steps for batches of resized images.

        Raises:
            UsageError: if one of them has no such form.
        """
        fields: dict[str, Any] = {}
        for step in (*self.augment, *self.erase):
            if step.batch is None:
                raise UsageError(
                    "`cache` needs augmentation in batches: `crop_padding`, flips and `color_jitter`, or "
                    f"`no_aug`; got {step.name}"
                )
            fields |= step.batch
        return Augmentation(**fields)
