"""The global random generators, which transforms and users' datasets draw from: seeding and restoring."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import get_worker_info


def seed_all(seed: int) -> None:
    """Seed every generator a transform may use; torch.manual_seed, which seeds all devices, is slow."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.default_generator.manual_seed(seed)


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Restore the global random states, except in a worker, where nothing else uses them."""
    if get_worker_info() is not None:
        yield
        return
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])
