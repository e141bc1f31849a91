"""Building the models of the sweep, at the smallest image that each takes."""

import warnings

import timm
import torch
from torch import Tensor, nn

from tests.families import record
from timm_multimix.sites.positions import dense_forward

# Too large for the memory of a usual machine as they are.
REDUCED = {"deepseek_vit_412m": {"depth": 4}}
# A smaller image would leave one position to most networks, whose stride is 32; 70 is for patches of 14.
SIDES = (64, 70, 96, 128, 160, 192, 224, 240, 256, 288, 320, 384)


def build(name: str, side: int) -> nn.Module:
    """The model in training mode, for images of that side where its size has to be told.

    Constant initial values (classifiers of zeros, gains near zero) are drawn anew: they would hide errors
    behind it.
    """
    torch.manual_seed(0)
    options = {"num_classes": record.CLASSES, **REDUCED.get(name, {})}
    try:
        model = timm.create_model(name, img_size=side, **options)
    except TypeError:
        model = timm.create_model(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            if (parameter == parameter.flatten()[:1]).all():
                parameter.copy_(_enlivened(parameter))
    return model.train()


def _enlivened(parameter: Tensor) -> Tensor:
    """What is about zero becomes small normal numbers; ones spread between a half and three halves."""
    if parameter.abs().max() < 0.01:
        return 0.1 * torch.randn_like(parameter)
    return (0.5 + torch.rand_like(parameter)) * parameter


def images(side: int, count: int = 3) -> Tensor:
    """Noise with a different colour in each image, as some networks hardly react to noise alone."""
    generator = torch.Generator().manual_seed(1)
    colours = 2 * torch.randn(count, 3, 1, 1, generator=generator)
    return colours + torch.randn(count, 3, side, side, generator=generator)


def smallest_side(name: str) -> int:
    """The smallest image that the model takes, and at which it has more than one position if it ever has."""
    taken = 0
    for side in SIDES:
        positions = _positions(name, side)
        taken = taken or (side if positions else 0)
        if positions > 1 or (taken and side >= 256):
            return side if positions > 1 else taken
    raise AssertionError(f"{name} takes no image up to {SIDES[-1]} pixels")


def _positions(name: str, side: int) -> int:
    """The number of positions at that image side; 0 where the model does not take it."""
    try:
        model, x = build(name, side), images(side)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model(x)
            dense = dense_forward(model, x)
    except (AssertionError, RuntimeError, ValueError, IndexError, ZeroDivisionError):
        return 0
    return len(dense.positions) - dense.class_tokens
