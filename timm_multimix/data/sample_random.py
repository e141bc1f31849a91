"""Random numbers as functions of samples, computed for a whole batch at once on any device."""

import torch
from torch import Tensor

from ..randomness import derive_seed

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)


def sample_uniforms(seed: int, epoch: int, indices: Tensor, count: int) -> Tensor:
    """Uniform numbers in [0, 1), float32 [b, count], a function of seed, epoch and the indices [b] alone.

    SplitMix64 (Steele, Lea, Flood 2014) of a counter, so any batch of any process gives a sample the same.
    """
    start = torch.tensor(derive_seed(seed, epoch, count), device=indices.device)
    states = _mix(_mix(indices.long() + start).unsqueeze(1) + torch.arange(count, device=indices.device))
    return _shifted(states, 40).float() * 2.0**-24


def _mix(states: Tensor) -> Tensor:
    states = states + _GOLDEN
    states = (states ^ _shifted(states, 30)) * _FIRST
    states = (states ^ _shifted(states, 27)) * _SECOND
    return states ^ _shifted(states, 31)


def _shifted(states: Tensor, bits: int) -> Tensor:
    """A shift to the right that fills up with zeros, which int64 does not have."""
    return (states >> bits) & ((1 << (64 - bits)) - 1)
