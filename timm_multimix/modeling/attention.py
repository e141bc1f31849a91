"""Detection of networks that mix positions by self-attention, from their modules."""

from torch import nn


def has_self_attention(model: nn.Module) -> bool:
    """Whether the backbone has multi-head attention, not only the pooling before the classifier.

    timm's self-attention modules have `num_heads`, as torch's own has, or a number of `heads`, as Hiera's;
    gates over channels, such as squeeze-and-excitation, have none.
    """
    return any(_has_heads(module) and not _pools(module) for module in model.modules())


def _has_heads(module: nn.Module) -> bool:
    return hasattr(module, "num_heads") or isinstance(getattr(module, "heads", None), int)


def _pools(module: nn.Module) -> bool:
    return type(module).__name__.startswith("AttentionPool")
