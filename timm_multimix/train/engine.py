"""Accelerate: how many processes, on which device, in which precision."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, InitProcessGroupKwargs

from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions, options_to_dict

from . import watch
from .model import attempt


def start_accelerator(trackers: Sequence[str]) -> Accelerator:
    """The accelerator as the launcher describes it.

    Raises:
        UsageError: if several processes were launched that would each run alone, or a tracker is missing.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    # Without this, processes launched where there is no accelerator do not join, and each trains alone.
    cpu = launched > 1 and not torch.accelerator.is_available()
    # The folder of the logs is known later: see `start_trackers`.
    group = InitProcessGroupKwargs(timeout=watch.PATIENCE)
    accelerator = attempt(
        "accelerate",
        lambda: Accelerator(
            cpu=cpu, log_with=list(trackers) or None, project_dir=".", kwargs_handlers=[group]
        ),
    )
    check_engine(accelerator)
    if launched > 1 and accelerator.num_processes == 1:
        raise UsageError(
            f"{launched} processes were launched but accelerate sees one; on CPUs set ACCELERATE_USE_CPU=true"
        )
    missing = set(trackers) - {str(tracker) for tracker in accelerator.log_with} - {"all"}
    if missing:
        raise UsageError(f"--log-with {missing.pop()}: the package of this tracker is not installed")
    return accelerator


def check_engine(accelerator: Accelerator) -> None:
    """Raises: UsageError for engines that keep weights or optimizer where checkpoints would miss them."""
    engine = accelerator.distributed_type
    if engine in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise UsageError(
            f"accelerate is configured for {engine.value}; allowed are one process, DDP and FSDP version 2"
        )
    if engine == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise UsageError("accelerate is configured for FSDP version 1; set fsdp_version to 2")


def start_trackers(accelerator: Accelerator, folder: Path, options: TrainOptions) -> None:
    """Start the trackers of --log-with; those that write files do so in the run's `logs`."""
    accelerator.project_configuration.logging_dir = str(folder)
    config = {
        name: value if isinstance(value, (bool, int, float)) else str(value)
        for name, value in options_to_dict(options).items()
    }
    if accelerator.log_with:
        accelerator.init_trackers("logs", config)
