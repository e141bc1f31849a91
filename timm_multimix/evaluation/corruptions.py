"""Common corruptions of images, computed at the model's input size, in five strengths."""

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..errors import UsageError

SMALL = {
    "noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "blur": (0.4, 0.6, 0.7, 0.8, 1.0),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "jpeg": (80, 65, 58, 50, 40),
}
"""CIFAR-10-C's parameters by strength, for images whose shorter side is at most 64 pixels."""

LARGE = {
    "noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "blur": (1.0, 2.0, 3.0, 4.0, 6.0),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "jpeg": (25, 18, 15, 10, 7),
}
"""ImageNet-C's (Hendrycks & Dietterich 2019, arXiv:1903.12261), for larger ones."""

KINDS = tuple(SMALL)
STRENGTHS = (1, 2, 3, 4, 5)


def corrupt(pixels: Tensor, kind: str, strength: int, generator: torch.Generator | None = None) -> Tensor:
    """Corrupt an image [c, h, w] in [0, 1]; the result is rounded to 8 bits as a stored image would be.

    The strength is, for noise, the std of Gaussian noise; for blur, the std of a Gaussian kernel in pixels;
    for contrast, a factor of the distance from each channel's mean; for jpeg, the quality.

    Raises:
        UsageError: there is no such kind or strength.
    """
    if kind not in KINDS or strength not in STRENGTHS:
        allowed = f"{', '.join(KINDS)} with strengths 1 to 5"
        raise UsageError(f"corruption must be one of {allowed}, got {kind!r} of strength {strength}")
    level = (SMALL if min(pixels.shape[1:]) <= 64 else LARGE)[kind][strength - 1]
    if kind == "noise":
        changed = pixels + level * torch.randn(pixels.shape, generator=generator, dtype=pixels.dtype)
    elif kind == "blur":
        changed = gaussian_blur(pixels, level)
    elif kind == "contrast":
        changed = torch.lerp(pixels.mean((1, 2), keepdim=True).expand_as(pixels), pixels, level)
    else:
        changed = jpeg(pixels, int(level))
    return changed.clamp(0, 1).mul(255).round().div(255)


def gaussian_blur(pixels: Tensor, sigma: float) -> Tensor:
    """Convolve an image [c, h, w] with a Gaussian cut off at four std; the image's edges are repeated."""
    radius = math.ceil(4 * sigma)
    steps = torch.arange(-radius, radius + 1, dtype=pixels.dtype)
    kernel = steps.square().div(-2 * sigma**2).exp()
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (radius,) * 4, mode="replicate")
    rows = F.conv2d(padded, kernel.reshape(1, 1, 1, -1))
    return F.conv2d(rows, kernel.reshape(1, 1, -1, 1))[:, 0]


def jpeg(pixels: Tensor, quality: int) -> Tensor:
    """Write an image [c, h, w] of one or three channels as JPEG and read it again."""
    values = pixels.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        read = np.array(image).reshape(values.shape)
    return torch.from_numpy(read).permute(2, 0, 1).to(pixels.dtype).div(255)


class Corrupt:
    """`corrupt` as the last step of a transform; noise is from torch's global generator, seeded by data."""

    def __init__(self, kind: str, strength: int) -> None:
        self.kind, self.strength = kind, strength

    def __call__(self, pixels: Tensor) -> Tensor:
        return corrupt(pixels, self.kind, self.strength)
