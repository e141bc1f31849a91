"""The registered mixers that need no guide: other masks, a resized partner, more than one interpolation."""

from dataclasses import replace
from typing import Any

from .. import functional as F
from ..errors import UsageError
from .arguments import concentration, count, flag, one_of
from .building import FIRST_LAYERS, MAP_PLACES, Layers, make_mixer
from .mixer import PLACES, Mixer
from .registry import register_mixer


@register_mixer
def resizemix(
    tau: tuple[float, float] = (0.1, 0.8),
    per_sample: bool = False,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """ResizeMix: paste the whole partner, made smaller, at a random place; labels by area (arXiv:2012.11101).

    The partner is scaled by a factor drawn uniformly from `tau`, the paper's (0.1, 0.8), and replaces a box
    of that size anywhere inside the image: no object is cut, and what is pasted is always the partner's
    subject. Resizing is bilinear with antialiasing, as two matrix products: h + w multiplications for every
    value of the batch, which is little beside a network and more than CutMix, which only copies.
    """
    arguments = {"tau": _pair("tau", tau, 1.0), "per_sample": flag("per_sample", per_sample)}
    return make_mixer("resizemix", F.resizemix, one_of("place", place, MAP_PLACES), layers, **arguments)


@register_mixer
def fmix(
    alpha: float = 1.0,
    decay: float = 3.0,
    per_sample: bool = False,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """FMix: paste blobs of any shape, cut from low-frequency noise; labels by area (arXiv:2002.12047).

    Noise whose spectrum falls with the power `decay` of the frequency is cut at the height that leaves the
    share lambda ~ Beta(alpha, alpha) of its pixels; alpha = 1 and decay = 3 are the paper's. The label is the
    area really kept, which is lambda up to one pixel. Each mask costs a Fourier transform and a sort of the
    image's size: one for the batch, or one per sample with `per_sample`.
    """
    arguments = {
        "alpha": concentration("alpha", alpha),
        "decay": concentration("decay", decay),
        "per_sample": flag("per_sample", per_sample),
    }
    return make_mixer("fmix", F.fmix, one_of("place", place, MAP_PLACES), layers, **arguments)


@register_mixer
def gridmix(
    alpha: float = 1.0,
    cells: int = 4,
    per_sample: bool = False,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """GridMix: take random cells of a grid from the partner; labels by area (Pattern Recognition 109, 2021).

    Of a grid of cells x cells, a random share lambda ~ Beta(alpha, alpha) keeps the image and the rest is the
    partner's. The paper adds a loss on the label of every cell, which is not part of this mixer, and its text
    is not public: alpha = 1 (OpenMixup's) and four cells a side are choices of ours. It costs as much as
    CutMix.
    """
    arguments = {
        "alpha": concentration("alpha", alpha),
        "cells": count("cells", cells),
        "per_sample": flag("per_sample", per_sample),
    }
    return make_mixer("gridmix", F.gridmix, one_of("place", place, MAP_PLACES), layers, **arguments)


@register_mixer
def smoothmix(
    sigma: tuple[float, float] = (0.25, 0.5),
    shape: str = "circle",
    per_sample: bool = False,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """SmoothMix: blend in the partner about a point, with soft edges; labels by the mask's mean (CVPRW 2020).

    The partner's weight falls as a Gaussian from 1 at a uniformly drawn point; its width is drawn uniformly
    from `sigma`, in units of the shorter side, (0.25, 0.5) as in OpenMixup. There is no lambda to draw: the
    label is the mean of the mask. shape: 'circle', or 'square' for square contours. It costs as much as
    CutMix.
    """
    arguments = {
        "sigma": _pair("sigma", sigma, float("inf")),
        "shape": one_of("shape", shape, ("circle", "square")),
        "per_sample": flag("per_sample", per_sample),
    }
    return make_mixer("smoothmix", F.smoothmix, one_of("place", place, MAP_PLACES), layers, **arguments)


@register_mixer
def zeta_mixup(gamma: float = 2.8, place: str = "input", layers: Layers = FIRST_LAYERS) -> Mixer:
    """zeta-mixup: interpolate the whole batch by the terms of a p-series (arXiv:2204.03323).

    Each example has the largest weight in a row of its own, and all the others the terms 2^-gamma, 3^-gamma,
    ... in random order. With the paper's gamma = 2.8 the largest weight is 0.8 and outweighs all others
    together; towards gamma = 0 the rows become the batch's mean, which trains nothing. The product of b x b
    weights with the batch costs b multiplications for every value of it.
    """
    arguments = {"gamma": concentration("gamma", gamma)}
    return make_mixer("zeta_mixup", F.zeta_mixup, one_of("place", place, PLACES), layers, **arguments)


@register_mixer
def multi_mixup(
    k: int = 5,
    alpha: float = 1.0,
    per_sample: bool = False,
    place: str = "input",
    layers: Layers = FIRST_LAYERS,
) -> Mixer:
    """multi-mix: mixup with k interpolations of every pair, for less noisy gradients (arXiv:2406.01417).

    Each image meets one partner and is interpolated with it k times, each lambda ~ Beta(alpha, alpha) a draw
    of its own; the loss is the mean over all k b rows. k = 5 was the paper's best. At the input and at a
    hidden layer the network sees k times as many examples from there on, and costs k times as much time and
    memory; at place='embedding' the extra interpolations are nearly free.
    """
    arguments = {
        "k": count("k", k),
        "alpha": concentration("alpha", alpha),
        "per_sample": flag("per_sample", per_sample),
    }
    mixer = make_mixer("multi_mixup", F.multi_mixup, one_of("place", place, PLACES), layers, **arguments)
    return replace(mixer, row_per_example=False)


def _pair(name: str, value: Any, largest: float) -> tuple[float, float]:
    """A pair (low, high) of numbers with 0 < low <= high <= largest."""
    numbers = isinstance(value, tuple | list) and all(
        isinstance(bound, int | float) and not isinstance(bound, bool) for bound in value
    )
    if not numbers or len(value) != 2 or not 0 < value[0] <= value[1] <= largest or value[1] == float("inf"):
        limit = f" <= {largest:g}" if largest != float("inf") else ""
        raise UsageError(f"{name}={value!r} given, allowed is a pair (low, high), 0 < low <= high{limit}")
    return float(value[0]), float(value[1])
