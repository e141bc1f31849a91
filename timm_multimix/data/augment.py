"""The small-image augmentations for a whole batch of 8-bit images, on the device that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .sample_random import sample_uniforms

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in Pillow


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of each image: a padded crop (None: none), random flips, colour changes.

    size: (h, w) of the crop (None: the whole image); jitter: the largest relative change of brightness,
    contrast and saturation, in random order.
    """

    size: tuple[int, int] | None = None
    padding: int | None = None
    hflip: float = 0.0
    vflip: float = 0.0
    jitter: tuple[float, float, float] = (0.0, 0.0, 0.0)


class BatchAugmentation:
    """Augments and normalises a batch [b, c, h, w] of 8-bit images [n, H, W, c].

    The same distribution as the image-by-image transforms; without colour changes also the same values.
    """

    def __init__(self, plan: Augmentation, mean: Sequence[float], std: Sequence[float], seed: int) -> None:
        self.plan, self.seed = plan, seed
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def __call__(
        self, pictures: Tensor, indices: Tensor, streams: Tensor, epoch: int, device: torch.device
    ) -> Tensor:
        """Return the augmented images of these indices [b] in this epoch: float32 [b, c, h, w] on `device`.

        streams: the numbers [b] that their randomness is a function of; the indices, but for copies.
        """
        uniforms = sample_uniforms(self.seed, epoch, streams, 10)
        batch = self._cropped(pictures, indices, uniforms).to(device, non_blocking=True)
        images = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        if any(self.plan.jitter):
            images = _jittered(images, self.plan.jitter, uniforms[:, 4:].to(device, non_blocking=True))
        mean, std = (values.to(device, non_blocking=True) for values in (self.mean, self.std))
        return images.div_(255).sub_(mean).div_(std)

    def _cropped(self, pictures: Tensor, indices: Tensor, uniforms: Tensor) -> Tensor:
        """Crop and flip in one gather: [b, h, w, c]."""
        _, height, width, _ = pictures.shape
        size, padding = self.plan.size or (height, width), self.plan.padding
        rows = _window(height, size[0], padding, uniforms[:, 0], uniforms[:, 2] < self.plan.vflip)
        columns = _window(width, size[1], padding, uniforms[:, 1], uniforms[:, 3] < self.plan.hflip)
        places = (indices.view(-1, 1, 1) * height + rows.clamp(0, height - 1).unsqueeze(2)) * width
        places = places + columns.clamp(0, width - 1).unsqueeze(1)
        batch = pictures.view(-1, pictures.shape[3])[places]
        if not padding:
            return batch
        inside = _inside(rows, height).unsqueeze(2) & _inside(columns, width).unsqueeze(1)
        return batch.mul_(inside.unsqueeze(3))


def _window(length: int, size: int, padding: int | None, uniform: Tensor, flipped: Tensor) -> Tensor:
    """Coordinates [b, size] along one side of an image, some of which may lie in the padding."""
    cells = torch.arange(size, device=uniform.device)
    cells = torch.where(flipped.unsqueeze(1), size - 1 - cells, cells)
    if padding is None:
        return cells
    starts = (uniform * (length + 2 * padding - size + 1)).long() - padding
    return cells + starts.unsqueeze(1)


def _inside(coordinates: Tensor, length: int) -> Tensor:
    return (coordinates >= 0) & (coordinates < length)


def _jittered(images: Tensor, strengths: tuple[float, float, float], uniforms: Tensor) -> Tensor:
    """Brightness, contrast and saturation of images [b, c, h, w] of 0 to 255, each in its own order."""
    spans = torch.tensor(strengths, device=images.device)
    low = (1 - spans).clamp_min(0)
    factors = low + (1 + spans - low) * uniforms[:, :3]
    order = uniforms[:, 3:6].argsort(dim=1)
    for place in range(3):
        which = order[:, place].view(-1, 1, 1, 1)
        factor = factors.gather(1, order[:, place : place + 1]).view(-1, 1, 1, 1)
        grey = _grey(images)
        flat = torch.where(which == 1, grey.mean(dim=(2, 3), keepdim=True).round(), grey)
        base = torch.where(which == 0, 0.0, flat)
        images = base.lerp(images, factor).clamp_(0, 255)
    return images


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor(_LUMA).view(-1, 1, 1)).sum(1, keepdim=True)
