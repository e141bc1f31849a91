"""Saliency maps [b, h, w] for the guided mixers: of the images alone, or of the gradient of their loss."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from .precision import without_autocast

# Working size of the paper in pixels, and the smoothing in the authors' code at that size.
_SIDE = 64
_SIGMA = 2.5


def spectral_residual(images: Tensor) -> Tensor:
    """Compute the saliency of images by the spectral residual (Hou and Zhang, CVPR 2007).

    The logarithmic amplitude spectrum minus its own 3 x 3 average, transformed back with the phase, squared
    and smoothed (equations 3 to 5). Channels are averaged first, and larger images are reduced to 64 pixels,
    where the method works. Beyond the border nothing is salient: the Fourier transform sees the image
    repeated, and the edges where the copies meet are not the image's. It needs no network; computed in
    float32.

    Args:
        images: [b, ch, h, w].

    Returns:
        Saliency [b, h, w].

    Raises:
        ValueError: images are not [b, ch, h, w].

    Examples:
        >>> F.spectral_residual(torch.rand(4, 3, 96, 96)).shape
        torch.Size([4, 96, 96])
    """
    if images.dim() != 4:
        raise ValueError(f"images must be [b, ch, h, w] for spectral saliency, got {list(images.shape)}")
    height, width = images.shape[-2:]
    grey = images.float().mean(1, keepdim=True)
    scale = _SIDE / max(height, width, _SIDE)
    sides = (max(1, round(height * scale)), max(1, round(width * scale)))
    spectrum = torch.fft.fft2(nnf.interpolate(grey, sides, mode="bilinear", antialias=True))
    logarithm = (spectrum.abs() + 1e-8).log()
    residual = logarithm - nnf.avg_pool2d(nnf.pad(logarithm, (1, 1, 1, 1), "replicate"), 3, 1)
    salient = torch.fft.ifft2(torch.polar(residual.exp(), spectrum.angle())).abs().square()
    smooth = gaussian_blur(salient, _SIGMA, round(3 * _SIGMA))
    return nnf.interpolate(smooth, (height, width), mode="bilinear").squeeze(1)


def gradient_saliency(gradient: Tensor) -> Tensor:
    """Compute saliency [b, h, w] from a gradient: its root mean square over the channels.

    Args:
        gradient: gradient of the loss with respect to the images, [b, ch, h, w].

    Examples:
        >>> F.gradient_saliency(torch.tensor([[[[3.0]], [[-3.0]]]]))
        tensor([[[3.]]])
    """
    return gradient.float().square().mean(1).sqrt()


def gaussian_blur(maps: Tensor, sigma: float, radius: int, padding: str = "constant") -> Tensor:
    """Smooth maps [b, 1, h, w] with a Gaussian kernel.

    Args:
        maps: the maps.
        sigma: standard deviation in pixels.
        radius: the kernel has 2 radius + 1 pixels a side.
        padding: values beyond the border: `constant` zeros, or `reflect`, which limits the radius to the
            sides.
    """
    for dim in (3, 2):
        reach = radius if padding == "constant" else min(radius, maps.shape[dim] - 1)
        offset = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
        kernel = torch.exp(-offset.square() / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).view((1, 1, 1, -1) if dim == 3 else (1, 1, -1, 1))
        sides = (reach, reach, 0, 0) if dim == 3 else (0, 0, reach, reach)
        with without_autocast(maps.device):
            maps = nnf.conv2d(nnf.pad(maps, sides, padding), kernel)
    return maps
