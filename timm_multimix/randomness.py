"""Generators that are pure functions of (seed, rank, step): nothing to save, exact after any resume."""

import torch
import torch.distributed as dist

from .seeding import derive_seed

_CHOICE, _DRAW = 1, 2


def choice_generator(seed: int, step: int) -> torch.Generator:
    """For what is chosen (mixer, layer, on or off): on the CPU and equal on all ranks."""
    return torch.Generator().manual_seed(derive_seed(seed, _CHOICE, step))


def draw_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """For what is drawn (lambda, partners, weights): on the tensor's device and different on each rank."""
    return torch.Generator(device).manual_seed(derive_seed(seed, _DRAW, rank(), step))


def rank() -> int:
    """This process's rank, 0 when not distributed."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
