"""Features that some supported versions of accelerate lack."""

from typing import Any


def is_fsdp2(accelerator: Any) -> bool:
    """Whether accelerate shards by FSDP version 2, which it can from 1.6 on."""
    return getattr(accelerator, "is_fsdp2", False)


def splits_model(accelerator: Any) -> bool:
    """Whether accelerate is told to split the model, which it can from 1.10 on."""
    config = getattr(accelerator, "parallelism_config", None)
    return config is not None and config.non_data_parallel_size > 1
