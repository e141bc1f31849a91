"""What other libraries keep to themselves and is needed all the same: the only place that names it.

Each entry says what there is no public way to ask for.
"""

from typing import Any

import torch

# Gamma variates by a generator of one's own: torch.distributions draws from the global one.
standard_gamma = torch._standard_gamma


def in_backward() -> bool:
    """Whether this code runs inside of a backward pass, as checkpointed blocks do once more."""
    return torch._C._current_graph_task_id() != -1


def feature_take_indices(count: int, indices: Any) -> tuple[list[int], int]:
    """The numbers of the layers that `indices` of timm's forward_intermediates ask for, and the last one.

    A model of that interface has to read them as timm's own do.
    """
    from timm.models._features import feature_take_indices

    return feature_take_indices(count, indices)
