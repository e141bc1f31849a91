"""timm's pretrained configuration of networks for 32x32 images."""

from typing import Any

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)


def cifar_cfg(**changes: Any) -> dict[str, Any]:
    """Return timm's pretrained configuration of an untrained network for 32x32 images.

    Args:
        **changes: entries that differ from the defaults here.
    """
    defaults = {
        "url": "",
        "num_classes": 100,
        "input_size": (3, 32, 32),
        "pool_size": (4, 4),
        "crop_pct": 1.0,
        "interpolation": "bicubic",
        "mean": CIFAR_MEAN,
        "std": CIFAR_STD,
        "first_conv": "stem",
        "classifier": "head.fc",
        "license": "apache-2.0",
    }
    return {**defaults, **changes}
