"""Defaults of optimizer and learning rate, which depend on the model."""

from timm.optim import get_optimizer_info
from torch import nn

from ..modeling.attention import has_self_attention
from ..options import TrainOptions

SGD_RATE, ADAPTIVE_RATE = 0.2, 1e-3


def suit_model(options: TrainOptions, model: nn.Module) -> TrainOptions:
    """Options with the optimizer and the rate that suit a model, where the user left them open."""
    opt, lr = options.optimization.opt, options.optimization.lr
    opt = opt or ("adamw" if has_self_attention(model) else "sgd")
    return options.but(opt=opt, lr=lr or default_rate(opt))


def default_rate(opt: str) -> float:
    """The peak rate of an optimizer of timm: by whether it scales each step by moments, as Adam does."""
    name = opt.lower().removeprefix("lookahead_")
    return ADAPTIVE_RATE if get_optimizer_info(name).has_betas else SGD_RATE
