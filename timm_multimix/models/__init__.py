"""Networks for small images, for `timm.create_model`; importing this module registers them with timm."""

from .preact_resnet import PreActResNet, preact_resnet10_cifar, preact_resnet18_cifar
from .wide_resnet import wrn16_2_cifar, wrn16_8_cifar

__all__ = [
    "PreActResNet",
    "preact_resnet10_cifar",
    "preact_resnet18_cifar",
    "wrn16_2_cifar",
    "wrn16_8_cifar",
]
