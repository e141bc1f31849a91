"""The last attention of a transformer, recorded while the model runs unchanged.

timm's models compute attention by torch's fused function, which keeps no probabilities, or by a softmax. Both
calls are observed from outside, in any model; for the fused one only the class token's row is recomputed.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import UsageError
from .eval_mode import undisturbed
from .grid import Grid, find_grid, last_features
from .probe import tensors

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, nnf.softmax)


class _Query(NamedTuple):
    """The arguments of the fused attention: query [b, heads, q, d], key [b, heads, k, d]."""

    query: Tensor
    key: Tensor
    mask: Tensor | None
    scale: float | None

    def probabilities(self) -> Tensor:
        """Return the attention [b, heads, q, k] in float32."""
        query, key = self.query.float(), self.key.float()
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if self.scale is None else self.scale)
        if self.mask is not None and self.mask.dtype == torch.bool:
            scores = scores.masked_fill(~self.mask, float("-inf"))
        elif self.mask is not None:
            scores = scores + self.mask
        return scores.softmax(-1)


class WatchedAttention(TorchFunctionMode):
    """A context that records the last attention of one pass of the model over images [b, ch, h, w].

    The first time for a model and an image size, the model is run once more to find where its tokens are.

    Raises:
        UsageError: the model has no tokens.
    """

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.model, self.batch, self.grid = model, len(images), _token_grid(model, images)
        self.last: _Query | Tensor | None = None

    def __torch_function__(self, func: Any, types: Iterable[type], args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if func is nnf.scaled_dot_product_attention:
            self._see_fused(*args, **kwargs)
        elif func in _SOFTMAX and self._over_tokens(output.shape):
            self.last = output.detach()
        return output

    def _see_fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        if not is_causal and self._over_tokens((*query.shape[:-1], key.shape[-2])):
            mask = None if attn_mask is None else attn_mask.detach()
            self.last = _Query(query.detach(), key.detach(), mask, scale)

    def _over_tokens(self, shape: tuple[int, ...] | torch.Size) -> bool:
        """Whether attention [b, heads, q, k] is between all tokens, or from one query to all of them."""
        if len(shape) != 4 or shape[0] != self.batch:
            return False
        positions = self.grid.height * self.grid.width
        tokens = positions + self.grid.layout.prefix
        return (shape[3] == tokens and shape[2] in (1, tokens)) or tuple(shape[2:]) == (1, positions)

    @torch.no_grad()
    def class_attention(self) -> Tensor:
        """Return the share [b, h, w] of every position in the classification, which adds up to one; float32.

        That is the class token's attention, averaged over heads. If the head reads the mean of the positions
        instead of a class token, it is the mean of their attention.

        Raises:
            UsageError: the model computed no attention over all its tokens.
        """
        call = self._seen()
        if not isinstance(call, Tensor):
            # Compute only the row that is used, unless a mask depends on the row.
            one = self._one_row(call.query) and call.mask is None
            call = (call._replace(query=call.query[:, :, :1]) if one else call).probabilities()
        return self._map(call[:, :, :1] if self._one_row(call) else call[:, :, self._prefix(call) :])

    @torch.no_grad()
    def received_attention(self) -> Tensor:
        """Return the share [b, h, w] of every position in the attention of all positions; float32.

        It is averaged over heads and adds up to one. If only one query attends to all positions, it is that
        query's.

        Raises:
            UsageError: the model computed no attention over all its tokens.
        """
        call = self._seen()
        rows = call if isinstance(call, Tensor) else call.probabilities()
        return self._map(rows if rows.shape[2] == 1 else rows[:, :, self._prefix(rows) :])

    def _seen(self) -> _Query | Tensor:
        if self.last is None:
            raise _no_attention(self.model)
        return self.last

    def _prefix(self, rows: Tensor) -> int:
        return rows.shape[-1] - self.grid.height * self.grid.width

    def _map(self, rows: Tensor) -> Tensor:
        """Average rows of attention [b, heads, q, k] to a map of the positions that adds up to one."""
        attention = rows.float().mean(dim=(1, 2))[:, self._prefix(rows) :]
        attention = attention / attention.sum(-1, keepdim=True).clamp_min(1e-12)
        return self.grid.as_map(attention.T)

    def _one_row(self, attention: Tensor) -> bool:
        return attention.shape[2] == 1 or self.grid.layout.reads_prefix


_grids: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], Grid]] = WeakKeyDictionary()


def _token_grid(model: Any, images: Tensor) -> Grid:
    known = _grids.setdefault(model, {})
    size = tuple(images.shape[1:])
    if size not in known:
        if not hasattr(model, "forward_features"):
            raise _no_attention(model)
        with undisturbed(model, images.device):
            features = last_features(model, images[:2])
            if tensors(features)[-1].dim() != 3:
                raise _no_attention(model)
            known[size] = find_grid(model, features, images)
    return known[size]


def _no_attention(model: nn.Module) -> UsageError:
    return UsageError(
        f"the model must have attention over all positions, as timm's vit, deit, eva and cait have, got a "
        f"{type(model).__name__}"
    )
