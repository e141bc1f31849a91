"""Logarithms of many Gamma variates of one concentration: the ziggurat, on a CPU."""

import math
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from .gamma import by_torchs_sampler

_Array: TypeAlias = npt.NDArray[np.float64]
_Floats: TypeAlias = npt.NDArray[np.float32]

# Below the lowest, y has too few digits near 1; above the highest, layers fit the curve less well.
LOWEST, HIGHEST = 0.05, 4.0
# A random word of 32 bits gives a layer (9 bits) and a position in it (the next 22).
_LAYERS = 512
_POSITION = 0x7FFFFE00
# Concentrations for which the layers are computed; between them they are interpolated.
_NODES = 8


class _Ziggurat(NamedTuple):
    """Layers of equal area that cover the density of y = x^alpha, from the lowest to the highest.

    x ~ Gamma(alpha) has a y of density exp(-y^(1 / alpha)) / Gamma(alpha + 1), which falls from y = 0 on,
    whatever alpha is. The lowest layer stands for all beyond its `inner` width, too: the tail.
    """

    alpha: float
    width: _Floats  # of each layer
    inner: _Floats  # what of the width is below the curve at all heights of the layer
    edges: _Floats  # the heights between the layers, from 0 to 1
    tail_start: float  # in x
    tail_rate: float  # of the exponential distribution above the density of the tail
    tail_share: float  # of that distribution in the area that the lowest layer has for it


def fits(alpha: Tensor) -> bool:
    """Return whether `log_gamma` can draw for this concentration."""
    return alpha.numel() == 1 and alpha.dtype == torch.float32 and LOWEST <= float(alpha) <= HIGHEST


def log_gamma(alpha: float, out: Tensor, generator: Generator | None) -> Tensor:
    """Fill `out`, contiguous float32 on a CPU, with logarithms of Gamma(alpha, 1) variates.

    The ziggurat method (Marsaglia and Tsang 2000, doi:10.18637/jss.v005.i08) on y = x^alpha: choose a layer
    and a position in its width, and take it within the inner width; up to three in a hundred are outside.
    """
    ziggurat = _ziggurat(alpha)
    flat = out.view(-1)
    words = out.new_empty((len(flat) + 1) // 2, dtype=torch.int64)
    words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    bits = words.view(torch.int32)[: len(flat)]
    layer = bits & (_LAYERS - 1)
    torch.index_select(torch.from_numpy(ziggurat.inner), 0, layer, out=flat)
    y = bits.bitwise_and_(_POSITION).bitwise_or_(_LAYERS // 2).float()
    y.mul_(torch.index_select(torch.from_numpy(ziggurat.width / 2**31), 0, layer))
    outside = np.greater(y.numpy(), flat.numpy()).nonzero()[0]
    torch.log(y, out=flat).mul_(1 / alpha)
    values = flat.numpy()
    values[outside] = _beyond(ziggurat, layer.numpy()[outside], values[outside], flat, generator)
    return out


def _beyond(
    ziggurat: _Ziggurat,
    layer: npt.NDArray[np.int32],
    log_x: _Floats,
    like: Tensor,
    generator: Generator | None,
) -> _Floats:
    """Return log x of the variates outside of the inner width; those above the curve are drawn anew.

    `like` has the device and the type of what is drawn.
    """
    alpha, start, rate = ziggurat.alpha, ziggurat.tail_start, ziggurat.tail_rate
    height = like.new_empty(len(layer)).uniform_(generator=generator).numpy()
    bottom, top = ziggurat.edges[layer], ziggurat.edges[layer + 1]
    below = bottom + height * (top - bottom) < np.exp(-np.exp(log_x))
    tail = (layer == 0).nonzero()[0]
    x = start + like.new_empty(len(tail)).exponential_(rate, generator=generator).numpy()
    log_x[tail] = np.log(x)
    # The density x^(alpha - 1) exp(-x) over its value at the start, and over the exponential one.
    ratio = (alpha - 1) * (log_x[tail] - math.log(start)) - (1 - rate) * (x - start)
    below[tail] = height[tail] < ziggurat.tail_share * np.exp(ratio)
    above = (~below).nonzero()[0]
    log_x[above] = by_torchs_sampler(like.new_full((len(above),), alpha), generator).numpy()
    return log_x


@lru_cache(maxsize=8)
def _ziggurat(alpha: float) -> _Ziggurat:
    """Return the layers of one concentration.

    Any heights give layers of equal area that cover the curve, if each is as wide as the widest of them
    demands. So heights between those of the nodes are exact, too, and nearly as good as the best.
    """
    corners = np.exp(alpha ** np.arange(_NODES) @ _polynomials())  # x, which is -log of the height
    start = float(corners[0])
    edges, inner = np.concatenate([[0], np.exp(-corners), [1]]), np.append(corners**alpha, 0)
    height = edges[1:] - edges[:-1]
    tail = _tail_area(alpha, start)
    area = max((inner[:-1] * height[1:]).max(), inner[0] * height[0] + tail)
    share = tail / (area - inner[0] * height[0])
    floats = [each.astype(np.float32) for each in (area / height, inner, edges)]
    return _Ziggurat(alpha, floats[0], floats[1], floats[2], start, _tail_rate(alpha, start), share)


def _tail_rate(alpha: float, start: float) -> float:
    """Return the rate of an exponential density that touches that of x at `start` and is above it beyond."""
    return 1 - max(alpha - 1, 0) / start


def _tail_area(alpha: float, start: float) -> float:
    """Return the area under the exponential density beyond `start`, in y."""
    return alpha * start ** (alpha - 1) * math.exp(-start) / _tail_rate(alpha, start)


@cache
def _polynomials() -> _Array:
    """Return coefficients of polynomials in alpha: the logarithms of x at the corners of the best layers."""
    nodes = (LOWEST + HIGHEST) / 2 + (HIGHEST - LOWEST) / 2 * np.polynomial.chebyshev.chebpts1(_NODES)
    best = [_best_drops(alpha) for alpha in nodes.tolist()]
    return np.asarray(np.linalg.solve(np.vander(nodes, increasing=True), np.log(best)))


def _best_drops(alpha: float) -> list[float]:
    """Return -log of the layers' heights such that the areas are equal and the highest ends at 1."""
    low, high = 4.0, 40.0  # start of the tail: the earlier it is, the larger are the layers
    for _ in range(24):
        start = (low + high) / 2
        drops = _drops(alpha, start)
        low, high = (start, high) if len(drops) < _LAYERS else (low, start)
    return _drops(alpha, low)


def _drops(alpha: float, start: float) -> list[float]:
    """Return -log of the heights of layers of equal area, from the tail's start on, up to height 1."""
    height = math.exp(-start)
    area = start**alpha * height + _tail_area(alpha, start)
    drops = [start]
    while len(drops) < _LAYERS and (height := height + area / drops[-1] ** alpha) < 1:
        drops.append(-math.log(height))
    return drops
