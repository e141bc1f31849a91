"""Saliency maps [b, h, w] for the guided mixers: of the images alone, or of their loss's gradient."""

import torch
import torch.nn.functional as nnf
from torch import Tensor

# The paper's working size, and the smoothing of its authors' code at that size.
_SIDE = 64
_SIGMA = 2.5


def spectral_residual(images: Tensor) -> Tensor:
    """Static saliency [b, h, w] of images [b, ch, h, w] by the spectral residual (Hou and Zhang, CVPR 2007).

    What the logarithmic amplitude spectrum has beyond its own 3 x 3 average, brought back with the phase,
    squared and smoothed (equations 3 to 5). Channels are averaged first, and images of more than 64 pixels
    made that small, where the method works. Beyond the border nothing is salient: the Fourier transform sees
    the image repeated, and the edges where the copies meet are not the image's. Needs no network; float32.

    Raises:
        ValueError: not images.
    """
    if images.dim() != 4:
        raise ValueError(f"spectral saliency needs images [b, ch, h, w], given {list(images.shape)}")
    height, width = images.shape[-2:]
    grey = images.float().mean(1, keepdim=True)
    scale = _SIDE / max(height, width, _SIDE)
    sides = (max(1, round(height * scale)), max(1, round(width * scale)))
    spectrum = torch.fft.fft2(nnf.interpolate(grey, sides, mode="bilinear", antialias=True))
    logarithm = (spectrum.abs() + 1e-8).log()
    residual = logarithm - nnf.avg_pool2d(nnf.pad(logarithm, (1, 1, 1, 1), "replicate"), 3, 1)
    picture = torch.fft.ifft2(torch.polar(residual.exp(), spectrum.angle())).abs().square()
    smooth = gaussian_blur(picture, _SIGMA, round(3 * _SIGMA))
    return nnf.interpolate(smooth, (height, width), mode="bilinear").squeeze(1)


def gradient_saliency(gradient: Tensor) -> Tensor:
    """Saliency [b, h, w] of the loss's gradient [b, ch, h, w]: its root mean square over the channels."""
    return gradient.float().square().mean(1).sqrt()


def gaussian_blur(maps: Tensor, sigma: float, radius: int, padding: str = "constant") -> Tensor:
    """Gaussian smoothing of maps [b, 1, h, w] by a kernel of 2 radius + 1 pixels.

    padding: what is beyond the border, `constant` zeros or `reflect`, which limits the radius to the sides.
    """
    for dim in (3, 2):
        reach = radius if padding == "constant" else min(radius, maps.shape[dim] - 1)
        offset = torch.arange(-reach, reach + 1, device=maps.device)
        kernel = torch.exp(-offset.square() / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).view((1, 1, 1, -1) if dim == 3 else (1, 1, -1, 1))
        sides = (reach, reach, 0, 0) if dim == 3 else (0, 0, reach, reach)
        maps = nnf.conv2d(nnf.pad(maps, sides, padding), kernel)
    return maps
