"""Tensors of which a process may hold a part only, as FSDP shards them."""

import torch
from torch.distributed.tensor import DTensor, distribute_tensor


def is_sharded(module: torch.nn.Module) -> bool:
    """Whether a process holds only parts of a model's parameters."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def shard_like(value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """A whole tensor in the way that `reference` lies: on its device, and sharded if it is."""
    value = value.to(reference.device)
    if not isinstance(reference, DTensor):
        return value
    return distribute_tensor(value, reference.device_mesh, reference.placements)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of a tensor on the CPU, gathered where it is sharded over processes."""
    tensor = tensor.detach()
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.cpu().clone()
