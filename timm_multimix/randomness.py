"""Seeds and generators as pure functions of integers: nothing to save, exact after any resume."""

import torch
import torch.distributed as dist

_MASK = (1 << 64) - 1
_CHOICE, _DRAW = 1, 2


def _splitmix(state: int) -> int:
    """Return one output of SplitMix64 (Steele, Lea, Flood 2014) for a 64-bit state."""
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def derive_seed(*parts: int) -> int:
    """Derive a well-mixed 63-bit seed from integers; it depends on their order and their number."""
    state = len(parts)
    for part in parts:
        state = _splitmix(state ^ (part & _MASK))
    return state >> 1


def choice_generator(seed: int, step: int) -> torch.Generator:
    """Return the generator for choices (mixer, layer, on or off): on the CPU and equal on all ranks."""
    return torch.Generator().manual_seed(derive_seed(seed, _CHOICE, step))


def draw_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Generator for draws (lambda, partners, weights): on the tensors' device, different on each rank."""
    return torch.Generator(device).manual_seed(derive_seed(seed, _DRAW, rank(), step))


def rank() -> int:
    """Return this process's rank, 0 if not distributed."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
