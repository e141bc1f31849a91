"""Pre-activation residual networks for small images (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.layers import ClassifierHead, DropPath
from timm.models import build_model_with_cfg, checkpoint, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F

from .._compat.timm import feature_take_indices
from .cifar_cfg import cifar_cfg


@dataclass(frozen=True)
class Details:
    """Details of these networks in which published codes differ.

    Args:
        kaiming: normal initialisation of the convolutions by their fan out; else torch's own.
        stem_norm: norm and ReLU after the stem.
        bias: bias of all convolutions.
        late_stride: whether a block's second convolution halves the side, not its first.
        norm_momentum: momentum of the norm after the last block.
        activated_identity: whether a shortcut without a convolution starts after the block's first norm and
            ReLU.
        activated_projection: the same for a shortcut with a convolution.
    """

    kaiming: bool = True
    stem_norm: bool = False
    bias: bool = False
    late_stride: bool = False
    norm_momentum: float = 0.1
    activated_identity: bool = False
    activated_projection: bool = True


MANIFOLD_MIXUP = Details()


class PreActBlock(nn.Module):
    """Norm, ReLU and 3x3 convolution, twice; if the shape changes, a convolution projects the shortcut."""

    def __init__(
        self,
        width_in: int,
        width: int,
        stride: int = 1,
        drop_path: float = 0.0,
        details: Details = MANIFOLD_MIXUP,
        **where: Any,
    ):
        super().__init__()
        first, second = (1, stride) if details.late_stride else (stride, 1)
        bias = details.bias
        self.norm1 = nn.BatchNorm2d(width_in, **where)
        self.conv1 = nn.Conv2d(width_in, width, 3, first, padding=1, bias=bias, **where)
        self.norm2 = nn.BatchNorm2d(width, **where)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=bias, **where)
        changes = stride != 1 or width_in != width
        self.shortcut = nn.Conv2d(width_in, width, 1, stride, bias=bias, **where) if changes else None
        self.activated = details.activated_projection if changes else details.activated_identity
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.norm1(x))
        residual = self.conv2(F.relu(self.norm2(self.conv1(activated))))
        carried = activated if self.activated else x
        return self.drop_path(residual) + (carried if self.shortcut is None else self.shortcut(carried))


class PreActResNet(nn.Module):
    """Pre-activation ResNet for small images: a 3x3 stem without pooling, then stages that halve the side.

    The first stage keeps the side. (He et al. 2016, arXiv:1603.05027.)

    Args:
        depths: blocks of each stage.
        widths: channels of each stage.
        stem_width: channels of the stem.
        final_norm: whether the features end in norm and ReLU; else in the last block's addition.
        details: details in which published codes differ.
        num_classes: outputs of the classifier; 0: no classifier.
        in_chans: channels of the images.
        global_pool: timm's type of pooling, `avg` for the mean.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth of the last block; it rises linearly over the blocks.
        device: device of the parameters.
        dtype: dtype of the parameters.

    Examples:
        >>> network = models.PreActResNet(depths=(1, 1), widths=(16, 32), stem_width=16, num_classes=10)
        >>> network(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        depths: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        stem_width: int = 64,
        final_norm: bool = False,
        details: Details = MANIFOLD_MIXUP,
        num_classes: int = 100,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        where = {"device": device, "dtype": dtype}
        self.num_classes, self.in_chans, self.drop_rate = num_classes, in_chans, drop_rate
        self.grad_checkpointing = False
        self.kaiming = details.kaiming
        self.stem = nn.Conv2d(in_chans, stem_width, 3, padding=1, bias=details.bias, **where)
        self.stem_norm = _norm_and_relu(stem_width, **where) if details.stem_norm else nn.Identity()
        drop_paths = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        stages, self.feature_info, width_in = [], [], stem_width
        for index, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            blocks = []
            for block in range(depth):
                stride = 2 if index > 0 and block == 0 else 1
                blocks.append(PreActBlock(width_in, width, stride, next(drop_paths), details, **where))
                width_in = width
            stages.append(nn.Sequential(*blocks))
            self.feature_info.append({"num_chs": width, "reduction": 2**index, "module": f"stages.{index}"})
        self.stages = nn.Sequential(*stages)
        momentum = details.norm_momentum
        self.norm = _norm_and_relu(width_in, momentum, **where) if final_norm else nn.Identity()
        self.num_features = width_in
        self.head = ClassifierHead(width_in, num_classes, global_pool, drop_rate, **where)
        self.head_hidden_size = self.head.in_features * self.head.global_pool.feat_mult()
        self.init_weights()

    @torch.jit.ignore
    def init_weights(self) -> None:
        """Initialise the convolutions, as `details.kaiming` says."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and self.kaiming:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return patterns of parameter names, in the order of depth, for layer-wise learning rates.

        Args:
            coarse: whether a stage is one group; else every block is one.
        """
        blocks = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^stem", "blocks": [(blocks, None), (r"^norm", (99999,))]}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Switch gradient checkpointing of the stages on or off.

        Args:
            enable: whether it is on.
        """
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        """Return the linear classifier."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a new one.

        Args:
            num_classes: its outputs; 0: no classifier.
            global_pool: timm's type of pooling; None: unchanged.
        """
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)
        self.head_hidden_size = self.head.in_features * self.head.global_pool.feat_mult()

    def _stage(self, stage: nn.Module, x: Tensor) -> Tensor:
        # Calls the stage itself, not its forward, so that hooks on it also run under checkpointing.
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint(stage, x)
        return stage(x)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return features and the outputs of chosen stages, as timm's own networks do.

        Args:
            x: images [b, in_chans, h, w].
            indices: the stages, or how many of the last ones; None: all.
            norm: whether the last stage's output gets the final norm.
            stop_early: whether stages after the last chosen one are not run.
            output_fmt: must be NCHW.
            intermediates_only: whether to return the stages' outputs alone.

        Raises:
            ValueError: `output_fmt` is not NCHW.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        take, last_taken = feature_take_indices(len(self.stages), indices)
        last = len(self.stages) - 1
        intermediates = []
        x = self.stem_norm(self.stem(x))
        for index, stage in enumerate(self.stages):
            if stop_early and index > last_taken:
                break
            x = self._stage(stage, x)
            if index in take:
                intermediates.append(self.norm(x) if norm and index == last else x)
        if intermediates_only:
            return intermediates
        return (x if stop_early and last_taken < last else self.norm(x)), intermediates

    def forward_features(self, x: Tensor) -> Tensor:
        """Return features [b, num_features, h / 2^(stages-1), w / 2^(stages-1)] of images [b, ch, h, w]."""
        x = self.stem_norm(self.stem(x))
        for stage in self.stages:
            x = self._stage(stage, x)
        return self.norm(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool features and classify them.

        Args:
            x: the result of `forward_features`.
            pre_logits: whether to pool only.
        """
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [b, num_classes] of images [b, ch, h, w]."""
        return self.forward_head(self.forward_features(x))


def _norm_and_relu(width: int, momentum: float = 0.1, **where: Any) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width, momentum=momentum, **where), nn.ReLU())


def create_preact_resnet(
    name: str, pretrained: bool, variants: dict[str, Details], variant: str, **arguments: Any
) -> PreActResNet:
    """Build a registered network with timm's builder, which handles weights and `features_only`.

    Args:
        name: the name under which it is registered.
        pretrained: as in timm.create_model.
        variants: details by variant.
        variant: the variant to build.
        **arguments: of PreActResNet.

    Raises:
        ValueError: there is no such variant.
    """
    if variant not in variants:
        raise ValueError(f"variant must be one of {', '.join(variants)}, got {variant!r}")
    stages = len(arguments["depths"])
    return build_model_with_cfg(
        PreActResNet,
        name,
        pretrained,
        details=variants[variant],
        feature_cfg={"out_indices": tuple(range(stages)), "feature_cls": "getter"},
        **arguments,
    )


default_cfgs = generate_default_cfgs(
    {
        "preact_resnet18_cifar.untrained": cifar_cfg(),
        "preact_resnet10_cifar.untrained": cifar_cfg(),
    }
)


VARIANTS = {
    "manifold_mixup": MANIFOLD_MIXUP,
    "alignmixup": Details(kaiming=False, stem_norm=True, activated_identity=True),
}


@register_model
def preact_resnet18_cifar(
    pretrained: bool = False, variant: str = "manifold_mixup", **kwargs: Any
) -> PreActResNet:
    """PreActResNet-18: 512-d features, 4x4 at 32 px.

    Args:
        pretrained: must be False: no weights are published.
        variant: `manifold_mixup`, as in the code of the Manifold mixup experiments; or `alignmixup`, as in
            that of AlignMixup: norm and ReLU after the stem, every shortcut from behind a block's first norm
            and ReLU, and torch's own initialisation.
        **kwargs: arguments of PreActResNet, such as `num_classes`.

    Examples:
        >>> timm.create_model("preact_resnet18_cifar", num_classes=10).num_features
        512
    """
    arguments = {"depths": (2, 2, 2, 2), "widths": (64, 128, 256, 512), "stem_width": 64}
    return create_preact_resnet(
        "preact_resnet18_cifar", pretrained, VARIANTS, variant, **{**arguments, **kwargs}
    )


@register_model
def preact_resnet10_cifar(
    pretrained: bool = False, variant: str = "manifold_mixup", **kwargs: Any
) -> PreActResNet:
    """PreActResNet-10, with half the width and one block a stage: 256-d features, 4x4 at 32 px; for CPUs.

    Args:
        pretrained: must be False: no weights are published.
        variant: as in preact_resnet18_cifar.
        **kwargs: arguments of PreActResNet, such as `num_classes`.

    Examples:
        >>> timm.create_model("preact_resnet10_cifar", num_classes=10).num_features
        256
    """
    arguments = {"depths": (1, 1, 1, 1), "widths": (32, 64, 128, 256), "stem_width": 32}
    return create_preact_resnet(
        "preact_resnet10_cifar", pretrained, VARIANTS, variant, **{**arguments, **kwargs}
    )
