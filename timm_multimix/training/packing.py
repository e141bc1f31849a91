"""Nested states as tensors and JSON, so that checkpoints need no pickle."""

import json
from typing import Any

import torch

from .sharding import whole

Tensors = dict[str, torch.Tensor]


def pack(tree: Any) -> tuple[str, Tensors]:
    """Return JSON text and the tensors it refers to by number, from nested dicts, lists, tuples and numbers.

    Raises:
        TypeError: a leaf that JSON cannot hold exactly.
    """
    tensors: Tensors = {}
    return json.dumps(_encode(tree, tensors)), tensors


def unpack(text: str, tensors: Tensors) -> Any:
    """Tree that was given to `pack`: same keys, same numbers, tensors of the same memory layout."""
    return _decode(json.loads(text), tensors)


def _encode(tree: Any, tensors: Tensors) -> Any:
    if isinstance(tree, torch.Tensor):
        name = str(len(tensors))
        tensor = whole(tree)
        tensors[name] = tensor.contiguous()
        return {"tensor": name, "stride": None if tensor.is_contiguous() else tensor.stride()}
    if isinstance(tree, dict):
        return {"dict": [[_encode(key, tensors), _encode(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {type(tree).__name__: [_encode(value, tensors) for value in tree]}
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if isinstance(tree, torch.dtype):
        return {"dtype": str(tree).removeprefix("torch.")}
    raise TypeError(f"cannot store a {type(tree).__name__} in a checkpoint")


def _decode(node: Any, tensors: Tensors) -> Any:
    if not isinstance(node, dict):
        return node
    if "tensor" in node:
        return _lay_out(tensors[node["tensor"]], node["stride"])
    if "dtype" in node:
        return getattr(torch, node["dtype"])
    ((kind, values),) = node.items()
    if kind == "dict":
        return {_decode(key, tensors): _decode(value, tensors) for key, value in values}
    decoded = [_decode(value, tensors) for value in values]
    return tuple(decoded) if kind == "tuple" else decoded


def _lay_out(tensor: torch.Tensor, stride: list[int] | None) -> torch.Tensor:
    """Arrange the values in their former memory order (such as channels last): rounding may depend on it."""
    if stride is None:
        return tensor
    return torch.empty_strided(tensor.shape, stride, dtype=tensor.dtype).copy_(tensor)
