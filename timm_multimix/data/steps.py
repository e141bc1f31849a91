"""Steps of transforms: the padded crop of small-image recipes, and a fast conversion to tensors."""

import random
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from timm.data.transforms import str_to_pil_interp


class CoverSize:
    """Scales an image, its shape kept, to the smallest size that covers (height, width)."""

    def __init__(self, size: tuple[int, int], interpolation: str) -> None:
        self.size = size
        names = ("bilinear", "bicubic") if interpolation == "random" else (interpolation,)
        self.filters = tuple(str_to_pil_interp(name) for name in names)

    def __call__(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        scale = max(height / image.height, width / image.width)
        if scale == 1:
            return image
        size = max(width, round(image.width * scale)), max(height, round(image.height * scale))
        return image.resize(size, random.choice(self.filters))


class PaddedCrop:
    """A crop of (height, width) anywhere in the image with `padding` black pixels around it."""

    def __init__(self, size: tuple[int, int], padding: int) -> None:
        self.size, self.padding = size, padding

    def __call__(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        top = random.randint(-self.padding, image.height + self.padding - height)
        left = random.randint(-self.padding, image.width + self.padding - width)
        return image.crop((left, top, left + width, top + height))  # black beyond the edges


class ToNormalised:
    """An 8-bit image as the float tensor [c, h, w] of (value / 255 - mean) / std, looked up.

    The same numbers, to the last bit, as torchvision's ToTensor and Normalize, several times faster.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = tuple(mean), tuple(std)
        values = torch.arange(256, dtype=torch.float32).div(255)
        means, stds = torch.tensor(mean)[:, None], torch.tensor(std)[:, None]
        self.tables = values.sub(means).div(stds).numpy()  # [c, 256]

    def __call__(self, image: Image.Image) -> torch.Tensor:
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        planes = np.empty((len(self.tables), image.height, image.width), dtype=np.float32)
        for channel, table in enumerate(self.tables):
            np.take(table, pixels[..., channel], out=planes[channel], mode="clip")
        return torch.from_numpy(planes)
