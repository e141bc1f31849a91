"""Uniform variates as all draws take them."""

import torch
from torch import Generator, Tensor


def rand(*shape: int, generator: Generator | None, device: torch.device | None) -> Tensor:
    """Draw what torch.rand does in float32, whatever the default dtype is.

    With a generator, even None, torch.rand takes no sizes that torch.compile knows by symbols only.

    Args:
        shape: shape of the result.
        generator: source of the variates.
        device: device of the result.
    """
    return torch.empty(shape, dtype=torch.float32, device=device).uniform_(generator=generator)
