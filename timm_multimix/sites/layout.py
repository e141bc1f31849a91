"""Where a timm model's features keep their positions."""

from typing import Any, NamedTuple
from warnings import warn
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .probe import classifiers, head_norms, probe_tokens


class Layout(NamedTuple):
    """Facts about features [b, ...]: the dimension of the channels and the tokens that lead the positions.

    With `channels` 0 the positions are unknown, or there is only one. `reads_prefix` says whether the
    head uses the leading tokens; `norms` are the BatchNorms of the head.
    """

    channels: int = 0
    prefix: int = 0
    reads_prefix: bool = False
    norms: tuple[_BatchNorm, ...] = ()

    def positions(self, features: Tensor) -> Tensor:
        """Features -> one embedding a position [r, b, d]"""
        return features.movedim(self.channels, -1).flatten(1, -2)[:, self.prefix :].transpose(0, 1)

    def images_of_one(self, embeddings: Tensor, ndim: int) -> Tensor:
        """[r, b, d] -> features of r * b images of one position, which fills the prefix's places too."""
        r, b, d = embeddings.shape
        if ndim == 3:
            return embeddings.reshape(r * b, 1, d).expand(-1, self.prefix + 1, -1)
        return embeddings.reshape(r * b, 1, 1, d).movedim(-1, self.channels)


_layouts: WeakKeyDictionary[nn.Module, dict[Any, Layout]] = WeakKeyDictionary()


@torch.compiler.disable
def find_layout(model: nn.Module, features: Any) -> Layout:
    """The layout of what the model's forward_features returned, found once for a model, head and shape.

    Warns where there are no positions to tell apart.
    """
    shape = tuple(features.shape[1:]) if isinstance(features, Tensor) else None
    key = (shape, str(getattr(model, "global_pool", None)), classifiers(model))
    known = _layouts.setdefault(model, {})
    if key not in known:
        known[key] = _look_for_layout(model, features)
        if known[key].channels == 0:
            name = type(model).__name__
            warn(f"{name}'s head reads no map of positions here: dense_multimix is multimix", stacklevel=3)
    return known[key]


def _look_for_layout(model: nn.Module, features: Any) -> Layout:
    channels = _channel_dim(features, getattr(model, "num_features", None))
    places = features[0].numel() // features.shape[channels] if channels else 1
    if places == 1:
        return Layout()
    like = features.detach()
    prefix, reads_prefix = probe_tokens(model, like) if like.ndim == 3 else (0, False)
    if places - prefix < 2:
        return Layout()
    return Layout(channels, prefix, reads_prefix, head_norms(model, like))


def _channel_dim(features: Any, width: int | None) -> int:
    """1 for [b, d, h, w], 2 for tokens [b, t, d], 3 for [b, h, w, d], 0 for anything else."""
    if not isinstance(features, Tensor):
        return 0
    candidates = {3: (2,), 4: (1, 3)}.get(features.ndim, ())
    return next((dim for dim in candidates if features.shape[dim] == width), 0)
