"""Tensors that may be sharded over processes, as FSDP does."""

import torch
from torch.distributed.tensor import DTensor, distribute_tensor


def is_sharded(module: torch.nn.Module) -> bool:
    """Return whether a process holds only parts of a model's parameters."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def shard_like(value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Move a whole tensor to the device of `reference`, and shard it if that is sharded."""
    value = value.to(reference.device)
    if not isinstance(reference, DTensor):
        return value
    return distribute_tensor(value, reference.device_mesh, reference.placements)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a tensor on the CPU, gathered if it is sharded."""
    tensor = tensor.detach()
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.cpu().clone()
