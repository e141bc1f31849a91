"""Private parts of torch that this package needs."""

from typing import Any

import torch

# Gamma variates from a given generator: torch.distributions uses the global one.
standard_gamma = torch._standard_gamma


def in_backward() -> bool:
    """Return whether this code runs inside a backward pass, as checkpointed blocks do."""
    return torch._C._current_graph_task_id() != -1


def in_transform() -> bool:
    """Return whether this code runs inside a transform of torch.func, such as grad or vmap."""
    return bool(torch._C._are_functorch_transforms_active())


def shut_down_workers(batches: Any) -> None:
    """End the worker processes of a DataLoader's iterator; by themselves they end only when it is deleted."""
    batches._shutdown_workers()
