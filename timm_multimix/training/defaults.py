"""Defaults of optimizer and learning rate, which depend on the model."""

from timm.optim import OptimInfo, get_optimizer_info
from torch import nn

from ..modeling.attention import has_self_attention
from ..options.optimization import OptimizationOptions

SGD_RATE, ADAPTIVE_RATE = 0.2, 1e-3


def suit_model(
    optimization: OptimizationOptions, batch_size: int, model: nn.Module, processes: int = 1
) -> OptimizationOptions:
    """Fill in the optimizer and the learning rate that suit the model, if the user did not choose them."""
    opt = optimization.opt or ("adamw" if has_self_attention(model) else "sgd")
    images = batch_size * processes * optimization.grad_accum_steps
    rate = optimization.lr or scaled_rate(optimization, opt, images) or default_rate(opt)
    return optimization.but(opt=opt, lr=rate)


def scaled_rate(optimization: OptimizationOptions, opt: str, images: int) -> float | None:
    """Peak rate of --lr-base for updates of so many images, scaled as in timm; None without --lr-base."""
    base, scale = optimization.lr_base, optimization.lr_base_scale
    if base is None:
        return None
    ratio = images / optimization.lr_base_size
    by_root = scale == "sqrt" if scale else any(word in opt.lower() for word in ("ada", "lamb"))
    return base * (ratio**0.5 if by_root else ratio)


def default_rate(opt: str) -> float:
    """Default peak rate of a timm optimizer: by whether it scales each step by moments, as Adam does."""
    return ADAPTIVE_RATE if optimizer_info(opt).has_betas else SGD_RATE


def optimizer_info(opt: str) -> OptimInfo:
    """What timm knows of an optimizer, with or without Lookahead around it."""
    return get_optimizer_info(opt.lower().removeprefix("lookahead_"))
