"""Pre-activation residual networks for small images (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

from collections.abc import Sequence
from typing import Any

import torch
from timm.layers import ClassifierHead, DropPath
from timm.models import build_model_with_cfg, checkpoint, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn
from torch.nn import functional as F

from .cifar_cfg import cifar_cfg


class PreActBlock(nn.Module):
    """Norm, ReLU and 3x3 convolution, twice; a change of shape projects the activated input."""

    def __init__(self, width_in: int, width: int, stride: int = 1, drop_path: float = 0.0, **where: Any):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width_in, **where)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False, **where)
        self.norm2 = nn.BatchNorm2d(width, **where)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False, **where)
        changes = stride != 1 or width_in != width
        self.shortcut = nn.Conv2d(width_in, width, 1, stride, bias=False, **where) if changes else None
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.norm1(x))
        residual = self.conv2(F.relu(self.norm2(self.conv1(activated))))
        return self.drop_path(residual) + (x if self.shortcut is None else self.shortcut(activated))


class PreActResNet(nn.Module):
    """A 3x3 stem without pooling, then stages of pre-activation blocks; all but the first halve the side.

    With `final_norm` the features end in norm and ReLU, without it in the last block's addition.
    """

    def __init__(
        self,
        depths: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        stem_width: int = 64,
        final_norm: bool = False,
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
        self.stem = nn.Conv2d(in_chans, stem_width, 3, padding=1, bias=False, **where)
        drop_paths = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        stages, self.feature_info, width_in = [], [], stem_width
        for index, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            blocks = []
            for block in range(depth):
                stride = 2 if index > 0 and block == 0 else 1
                blocks.append(PreActBlock(width_in, width, stride, next(drop_paths), **where))
                width_in = width
            stages.append(nn.Sequential(*blocks))
            self.feature_info.append({"num_chs": width, "reduction": 2**index, "module": f"stages.{index}"})
        self.stages = nn.Sequential(*stages)
        self.norm = (
            nn.Sequential(nn.BatchNorm2d(width_in, **where), nn.ReLU()) if final_norm else nn.Identity()
        )
        self.num_features = width_in
        self.head = ClassifierHead(width_in, num_classes, global_pool, drop_rate, **where)
        self.head_hidden_size = self.head.num_features
        self.init_weights()

    @torch.jit.ignore
    def init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names, in the order of depth, for layer-wise learning rates."""
        blocks = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^stem", "blocks": [(blocks, None), (r"^norm", (99999,))]}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new classifier in place, with 0 classes none; the pooling stays unless it is given."""
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)
        self.head_hidden_size = self.head.num_features

    def _stage(self, stage: nn.Module, x: Tensor) -> Tensor:
        # The stage itself is called in both branches, so that hooks on it fire under checkpointing too.
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
        """Features and the chosen stages' outputs, as in timm's own networks.

        Raises:
            ValueError: for an `output_fmt` other than NCHW
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt is {output_fmt!r}, allowed is 'NCHW'")
        take, last_taken = feature_take_indices(len(self.stages), indices)
        last = len(self.stages) - 1
        intermediates = []
        x = self.stem(x)
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
        """images [b, in_chans, h, w] -> features [b, num_features, h / 2^(stages - 1), w / 2^(stages - 1)]"""
        x = self.stem(x)
        for stage in self.stages:
            x = self._stage(stage, x)
        return self.norm(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pooling and classifier, or with `pre_logits` the pooling alone."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def create_preact_resnet(variant: str, pretrained: bool = False, **arguments: Any) -> PreActResNet:
    """Build a registered variant through timm's builder, which handles weights and `features_only`."""
    stages = len(arguments["depths"])
    return build_model_with_cfg(
        PreActResNet,
        variant,
        pretrained,
        feature_cfg={"out_indices": tuple(range(stages)), "feature_cls": "getter"},
        **arguments,
    )


default_cfgs = generate_default_cfgs(
    {
        "preact_resnet18_cifar.untrained": cifar_cfg(),
        "preact_resnet10_cifar.untrained": cifar_cfg(),
    }
)


@register_model
def preact_resnet18_cifar(pretrained: bool = False, **kwargs: Any) -> PreActResNet:
    """The PreActResNet-18 of the Manifold mixup and AlignMixup experiments: 512-d features, 4x4 at 32 px."""
    arguments = {"depths": (2, 2, 2, 2), "widths": (64, 128, 256, 512), "stem_width": 64}
    return create_preact_resnet("preact_resnet18_cifar", pretrained, **{**arguments, **kwargs})


@register_model
def preact_resnet10_cifar(pretrained: bool = False, **kwargs: Any) -> PreActResNet:
    """One block a stage at half the width: 256-d features, 4x4 at 32 px, for experiments without a GPU."""
    arguments = {"depths": (1, 1, 1, 1), "widths": (32, 64, 128, 256), "stem_width": 32}
    return create_preact_resnet("preact_resnet10_cifar", pretrained, **{**arguments, **kwargs})
