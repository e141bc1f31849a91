"""Mixers that take some pixels from a partner, with masks of other shapes than CutMix's box."""

from typing import Annotated, Any

import torch
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag, interval, one_of
from .draws import Draw, Masks
from .mixing import mixing
from .partners import Partner, find_partners
from .rand import rand
from .sampling import beta_variates


@mixing
def fmix(
    x: Tensor,
    alpha: Concentration = 1.0,
    decay: Concentration = 3.0,
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """FMix: paste blobs of any shape, cut from low-frequency noise; labels by area.

    Complex normal noise in Fourier space is divided by frequency^decay (arXiv:2002.12047, section 3); in the
    resulting image, the highest share lambda ~ Beta(alpha, alpha) of the pixels keeps x. alpha = 1 and decay
    = 3 are the paper's. lambda h w is rounded at random, up or down, such that the area is lambda on average;
    the label is by the area really kept. Each mask costs a Fourier transform and a sort of the image's size:
    one for the batch, or one per sample with `per_sample`.

    Args:
        x: images or feature maps [b, ch, h, w].
        decay: how fast the noise falls with the frequency: more makes larger blobs, 0 single pixels.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.fmix(torch.rand(4, 3, 32, 32))
        >>> draw.keep.shape
        torch.Size([1, 1, 32, 32])
    """
    height, width = check_maps("fmix", x)
    count = len(x) if per_sample else 1
    lam = beta_variates(count, alpha, generator=generator, device=x.device)
    noise = _low_frequencies(count, height, width, decay, x.device, generator)
    keep = _highest(noise.flatten(1), lam, generator).view(count, 1, height, width)
    return _by_area(keep, x, partner, generator)


@mixing
def gridmix(
    x: Tensor,
    alpha: Concentration = 1.0,
    cells: Count = 4,
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """GridMix: take random cells of a grid from the partner; labels by area.

    Of a grid of cells x cells, a random share lambda ~ Beta(alpha, alpha), rounded at random to a whole
    number, keeps x and the rest is the partner's (Pattern Recognition 109, 2021, 107594). Sides that `cells`
    does not divide have cells of unequal size. The paper adds a loss on the label of every cell, which is not
    part of this mixer, and its text is not public: alpha = 1 (OpenMixup's) and four cells a side are choices
    of this package. It costs as much as CutMix.

    Args:
        x: images or feature maps [b, ch, h, w].
        cells: cells of the grid along a side.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.gridmix(torch.rand(4, 3, 32, 32), cells=4)
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("gridmix", x)
    count = len(x) if per_sample else 1
    lam = beta_variates(count, alpha, generator=generator, device=x.device)
    order = rand(count, cells * cells, generator=generator, device=x.device)
    keep = _highest(order, lam, generator).view(count, 1, cells, cells)
    rows, columns = (torch.arange(side, device=x.device) * cells // side for side in (height, width))
    return _by_area(keep[:, :, rows][..., columns], x, partner, generator)


@mixing
def smoothmix(
    x: Tensor,
    sigma: Annotated[tuple[float, float], interval()] = (0.25, 0.5),
    shape: Annotated[str, one_of("circle", "square")] = "circle",
    per_sample: Flag = False,
    partner: Partner = "random",
    generator: Generator | None = None,
) -> Draw:
    """SmoothMix: blend in the partner about a point, with soft edges; labels by the mask's mean.

    The partner's weight is exp(-d^2 / 2 s^2) (Lee et al., CVPR workshops 2020), with d the distance from a
    uniform point and s uniform in `sigma`, in units of the shorter side, (0.25, 0.5) as in OpenMixup. No
    lambda is drawn: the label is by the mean weight. It costs as much as CutMix.

    Args:
        x: images or feature maps [b, ch, h, w].
        sigma: (low, high) of the width s, in units of the shorter side.
        shape: of the contours; for 'square' d is the larger of the distances along the two axes.

    Raises:
        ValueError: x is not [b, ch, h, w].

    Examples:
        >>> mixed, draw = F.smoothmix(torch.rand(4, 3, 32, 32))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("smoothmix", x)
    low, high = sigma
    count = len(x) if per_sample else 1
    uniform = rand(3, count, 1, 1, generator=generator, device=x.device)
    vertical = _from_centre(height, uniform[0]).mT
    horizontal = _from_centre(width, uniform[1])
    squares = vertical + horizontal if shape == "circle" else torch.maximum(vertical, horizontal)
    spread = (low + (high - low) * uniform[2]) * min(height, width)
    keep = 1 - torch.exp(-squares / (2 * spread.square()))
    return _by_area(keep.unsqueeze(1), x, partner, generator)


def check_maps(name: str, x: Tensor) -> tuple[int, int]:
    """Return height and width of images or feature maps [b, ch, h, w].

    Args:
        name: the mixer, for the message.
        x: the batch to mix.

    Raises:
        ValueError: x is not [b, ch, h, w].
    """
    if x.dim() != 4:
        raise ValueError(f"{name} must be given images or feature maps [b, ch, h, w], got {list(x.shape)}")
    return x.shape[-2], x.shape[-1]


def _by_area(keep: Tensor, x: Tensor, partner: Any, generator: Generator | None) -> Draw:
    """Make the draw of a mask [k, 1, h, w] whose label is the share that it keeps."""
    return Masks(keep, keep.mean(dim=(1, 2, 3), dtype=torch.float32), find_partners(x, partner, generator))


def _highest(scores: Tensor, share: Tensor, generator: Generator | None) -> Tensor:
    """Select the highest `share` [k] of the scores [k, n], as booleans; share n is rounded at random."""
    uniform = rand(len(share), generator=generator, device=scores.device)
    number = (share * scores.shape[1] + uniform).long()
    place = torch.arange(scores.shape[1], device=scores.device)
    chosen = (place < number.unsqueeze(1)).expand_as(scores)
    order = scores.argsort(dim=1, descending=True)
    return torch.zeros_like(chosen).scatter_(1, order, chosen)


def _low_frequencies(
    count: int, height: int, width: int, decay: float, device: torch.device, generator: Generator | None
) -> Tensor:
    """Draw real images [count, h, w] of normal noise whose spectrum falls with frequency^decay."""
    frequency = torch.hypot(
        torch.fft.fftfreq(height, device=device, dtype=torch.float32).unsqueeze(1),
        torch.fft.rfftfreq(width, device=device, dtype=torch.float32),
    )
    # The mean has frequency 0; it gets the weight of the lowest other frequency of the image, which is 1, as
    # only the order of the pixels counts and large powers would be infinite.
    scale = (frequency * max(height, width)).clamp_min(1) ** -decay
    noise = torch.empty(count, *scale.shape, 2, device=device, dtype=torch.float32)
    noise.normal_(generator=generator)
    return torch.fft.irfft2(torch.view_as_complex(noise) * scale, s=(height, width))


def _from_centre(length: int, uniform: Tensor) -> Tensor:
    """Return squared distances [k, 1, length] of the pixels' centres from a uniform point of the side."""
    pixel = torch.arange(0.5, length, device=uniform.device, dtype=torch.float32)
    return (pixel - uniform * length).square()
