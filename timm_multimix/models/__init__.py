"""Networks for small images, registered with timm when this module is imported."""

from .preact_resnet import PreActResNet, preact_resnet10_cifar, preact_resnet18_cifar
from .wide_resnet import wrn16_2_cifar, wrn16_8_cifar

__all__ = [
    "PreActResNet",
    "preact_resnet10_cifar",
    "preact_resnet18_cifar",
    "wrn16_2_cifar",
    "wrn16_8_cifar",
]
