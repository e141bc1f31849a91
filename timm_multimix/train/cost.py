"""What a run costs besides time."""

import resource
import sys

import torch


def peak_memory(device: torch.device) -> int:
    """The most memory of this process so far, in bytes: allocated on a GPU, else resident in main memory.

    Of a run that was resumed, only the part since then is counted.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
