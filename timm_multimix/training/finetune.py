"""Fine-tuning: check pretrained weights, reset the classifier, freeze the backbone or scale its rate."""

from typing import Any

import torch
from timm.optim import param_groups_weight_decay
from torch import nn

from ..errors import UsageError
from ..modeling.heads import head_parameters, reset_head
from ..modeling.pretrained import check_pretrained
from ..options.mixing import MixingOptions
from ..options.model import ModelOptions
from ..options.optimization import OptimizationOptions
from ..sites.probe import classifiers

_SOURCES = ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay")
_INSTEAD = dict.fromkeys(_SOURCES, "weights come from --model NAME --pretrained only") | {
    "num_classes": "give --num-classes instead",
    "drop_rate": "give --drop instead",
    "drop_path_rate": "give --drop-path instead",
}


def check_weights(network: ModelOptions, mixing: MixingOptions) -> None:
    """Check all pretrained weights that the options of model and teacher name, and the model's arguments.

    Raises:
        UsageError: weights cannot be loaded, or an argument of the model has an option of its own.
    """
    if names := sorted(_INSTEAD.keys() & network.model_kwargs.keys()):
        raise UsageError(f"--model-kwargs {names[0]}: {_INSTEAD[names[0]]}")
    if network.pretrained:
        check_pretrained(network.model)
    if mixing.distill and mixing.distill_teacher not in ("ema", "self"):
        check_pretrained(mixing.distill_teacher)


def fit_head_and_body(model: nn.Module, class_names: list[str], *, pretrained: bool, freeze: bool) -> None:
    """Reset the head if the weights were for other classes, and freeze the backbone if requested.

    Raises:
        UsageError: the model has no separate classifier.
    """
    if pretrained:
        known = getattr(model, "pretrained_cfg", {}).get("label_names")
        # timm resets it only if the number of classes differs
        if known and list(known) != class_names:
            reset_head(model)
    if freeze:
        model.requires_grad_(False)
        for parameter in head_parameters(model):
            parameter.requires_grad_(True)


@torch.no_grad()
def init_head(model: nn.Module, scale: float | None, bias: float | None) -> None:
    """Scale the classifier's weights and biases, then set its biases; None leaves them.

    Raises:
        UsageError: biases for a classifier without biases.
    """
    for head in classifiers(model):
        if scale is not None:
            for parameter in head.parameters():
                parameter.mul_(scale)
        if bias is not None:
            own: Any = getattr(head, "bias", None)
            if own is None:
                raise UsageError(f"--head-init-bias: the classifier of {type(model).__name__} has no biases")
            own.fill_(bias)


def still_frozen(module: nn.Module) -> None:
    """Keep frozen parts in eval mode: BatchNorm and dropout of a frozen backbone."""
    for child in module.children():
        state = [*child.parameters(), *child.buffers()]
        if any(tensor.requires_grad for tensor in state):
            still_frozen(child)
        elif any(True for _ in child.parameters()):
            child.eval()


def group_arguments(optimization: OptimizationOptions) -> dict[str, Any]:
    """Return arguments of timm's optimizer factory for separate rates of backbone and head."""
    scale = optimization.body_lr_scale
    if scale is None:
        return {}
    return {"param_group_fn": lambda model: rate_groups(model, optimization.weight_decay, scale)}


def rate_groups(model: nn.Module, weight_decay: float, scale: float) -> list[dict[str, Any]]:
    """Split timm's groups with and without weight decay into head and backbone."""
    no_weight_decay: Any = getattr(model, "no_weight_decay", set)
    head = {id(parameter) for parameter in head_parameters(model)}
    groups = []
    for group in param_groups_weight_decay(model, weight_decay, no_weight_decay_list=no_weight_decay()):
        for in_head, factor in ((True, 1.0), (False, scale)):
            members = [parameter for parameter in group["params"] if (id(parameter) in head) == in_head]
            if members:
                groups.append(group | {"params": members, "lr_scale": factor})
    return groups


def scale_rates(optimizer: torch.optim.Optimizer) -> None:
    """Apply the groups' factors once, if there is no schedule that does so at every step."""
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)
