"""The layout of a timm model's features: dimension of the channels, leading tokens, positions."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from warnings import warn
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .probe import Features, classifiers, head_norms, probe_tokens, tensors


class Layout(NamedTuple):
    """The layout of features [b, ...]: dimension of the channels, and number of tokens before the positions.

    Args:
        channels: dimension of the channels; 0: the positions are unknown, or there is only one.
        prefix: number of leading tokens. Of several tensors (branches, scales) the last has the positions,
            the others are one embedding each: their mean.
        reads_prefix: whether the head uses the leading tokens.
        norms: the BatchNorms of the head.
    """

    channels: int = 0
    prefix: int = 0
    reads_prefix: bool = False
    norms: tuple[_BatchNorm, ...] = ()

    def positions(self, features: Features) -> Tensor:
        """Return one embedding a position [r, b, d] of the features."""
        return self._embeddings(tensors(features)[-1])

    def images_of_one(self, embeddings: Tensor, features: Features) -> Features:
        """Features of r * b images with one position each, from [r, b, d]; it also fills the prefix."""
        *others, last = tensors(features)
        one = self._one(embeddings, last.ndim)
        if isinstance(features, Tensor):
            return one
        means = (self._embeddings(other).mean(dim=0) for other in others)
        return [*(self._one(mean.expand(len(embeddings), -1, -1), last.ndim) for mean in means), one]

    def _embeddings(self, features: Tensor) -> Tensor:
        return features.movedim(self.channels, -1).flatten(1, -2)[:, self.prefix :].transpose(0, 1)

    def _one(self, embeddings: Tensor, ndim: int) -> Tensor:
        r, b, d = embeddings.shape
        if ndim == 4:
            return embeddings.reshape(r * b, 1, 1, d).movedim(-1, self.channels)
        return embeddings.reshape(r * b, 1, d).expand(-1, self.prefix + 1, -1).movedim(-1, self.channels)


_layouts: WeakKeyDictionary[nn.Module, dict[Any, Layout]] = WeakKeyDictionary()


@torch.compiler.disable
def find_layout(model: nn.Module, features: Any) -> Layout:
    """Layout of the result of the model's forward_features, found once for a model, head and shape.

    Warns if there are no separate positions.
    """
    shapes = tuple(tuple(part.shape[1:]) for part in tensors(features))
    key = (shapes, str(getattr(model, "global_pool", None)), classifiers(model))
    known = _layouts.setdefault(model, {})
    if key not in known:
        known[key] = _look_for_layout(model, features)
        if known[key].channels == 0:
            name = type(model).__name__
            warn(
                f"{name} has no spatial feature map at this input size; "
                "there dense_multimix falls back to multimix",
                stacklevel=3,
            )
    return known[key]


def _look_for_layout(model: nn.Module, features: Any) -> Layout:
    parts = tensors(features)
    dims = set(map(_channel_dim, parts, _widths(model, len(parts))))
    channels = dims.pop() if len(dims) == 1 else 0
    places = parts[-1][0].numel() // parts[-1].shape[channels] if channels else 1
    if places == 1:
        return Layout()
    like = features.detach() if isinstance(features, Tensor) else [part.detach() for part in parts]
    tokens = parts[-1].ndim == 3 and channels == 2
    prefix, reads_prefix = probe_tokens(model, like) if tokens else (0, False)
    if places - prefix < 2:
        return Layout()
    return Layout(channels, prefix, reads_prefix, head_norms(model, like))


def _widths(model: nn.Module, count: int) -> list[int | None]:
    """Width of each of the features' tensors: with several, that of its scale if the model has scales."""
    scales = getattr(model, "embed_dim", None)
    if count > 1 and isinstance(scales, Sequence):
        return [scales[min(i, len(scales) - 1)] for i in range(count)]
    return [getattr(model, "num_features", None)] * count


def _channel_dim(features: Tensor, width: int | None) -> int:
    """1 for [b, d, h, w] and [b, d, t], 2 for tokens [b, t, d], 3 for [b, h, w, d], 0 for anything else."""
    candidates = {3: (2, 1), 4: (1, 3)}.get(features.ndim, ())
    return next((dim for dim in candidates if features.shape[dim] == width), 0)
