"""Wide residual networks for small images (Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146)."""

from typing import Any

from timm.models import generate_default_cfgs, register_model

from .cifar_cfg import cifar_cfg
from .preact_resnet import MANIFOLD_MIXUP, Details, PreActResNet, create_preact_resnet

VARIANTS = {
    "manifold_mixup": MANIFOLD_MIXUP,
    "alignmixup": Details(
        kaiming=False, bias=True, late_stride=True, norm_momentum=0.9, activated_projection=False
    ),
}


def _wide_resnet(
    name: str, depth: int, factor: int, pretrained: bool, variant: str, **kwargs: Any
) -> PreActResNet:
    blocks = (depth - 4) // 6
    arguments = {
        "depths": (blocks,) * 3,
        "widths": (16 * factor, 32 * factor, 64 * factor),
        "stem_width": 16,
        "final_norm": True,
    }
    return create_preact_resnet(name, pretrained, VARIANTS, variant, **{**arguments, **kwargs})


default_cfgs = generate_default_cfgs(
    {
        "wrn16_8_cifar.untrained": cifar_cfg(pool_size=(8, 8)),
        "wrn16_2_cifar.untrained": cifar_cfg(pool_size=(8, 8)),
    }
)


@register_model
def wrn16_8_cifar(pretrained: bool = False, variant: str = "manifold_mixup", **kwargs: Any) -> PreActResNet:
    """Wide ResNet 16-8: 512-d features, 8x8 at 32 px.

    Args:
        pretrained: must be False: no weights are published.
        variant: `manifold_mixup`, as in the code of the Manifold mixup experiments; or `alignmixup`, as in
            that of AlignMixup: biases in all convolutions, the stride in a block's second one, projections of
            its input as it is, torch's own initialisation, and momentum 0.9 of the last norm.
        **kwargs: arguments of PreActResNet, such as `num_classes`.

    Examples:
        >>> timm.create_model("wrn16_8_cifar", num_classes=10).num_features
        512
    """
    return _wide_resnet("wrn16_8_cifar", 16, 8, pretrained, variant, **kwargs)


@register_model
def wrn16_2_cifar(pretrained: bool = False, variant: str = "manifold_mixup", **kwargs: Any) -> PreActResNet:
    """Wide ResNet 16-2: 128-d features, 8x8 at 32 px.

    Args:
        pretrained: must be False: no weights are published.
        variant: as in wrn16_8_cifar.
        **kwargs: arguments of PreActResNet, such as `num_classes`.

    Examples:
        >>> timm.create_model("wrn16_2_cifar", num_classes=10).num_features
        128
    """
    return _wide_resnet("wrn16_2_cifar", 16, 2, pretrained, variant, **kwargs)
