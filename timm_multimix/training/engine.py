"""Accelerate: how many processes, on which device, in which precision, and what of its settings is in force.

Accelerate takes settings from its environment that the options of a run say too, or that it does not carry
out; here the two are brought together, so that what a run records is what it did.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from accelerate.utils import DistributedType, DynamoBackend, InitProcessGroupKwargs

from ..errors import UsageError
from ..modeling.create import attempt
from ..options.run import RunOptions
from . import consensus

_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""What a product of matrices is computed in, by the name of the precision."""


def start_accelerator(trackers: Sequence[str]) -> Accelerator:
    """The accelerator as the launcher describes it.

    Raises:
        UsageError: if several processes were launched that would each run alone, a tracker is missing, or
            a setting of accelerate would not be carried out.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    # Without this, processes launched where there is no accelerator do not join, and each trains alone.
    cpu = launched > 1 and not torch.accelerator.is_available()
    # The directory of the logs is known later: see `start_trackers`.
    group = InitProcessGroupKwargs(timeout=consensus.PATIENCE)
    accelerator = attempt(
        "accelerate",
        lambda: Accelerator(
            cpu=cpu, log_with=list(trackers) or None, project_dir=".", kwargs_handlers=[group]
        ),
    )
    check_engine(accelerator)
    check_precision(accelerator)
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
            f"accelerate must be configured for one process, DDP or FSDP version 2, got {engine.value}"
        )
    if engine == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise UsageError("accelerate is configured for FSDP version 1; set fsdp_version to 2")
    if accelerator.state.dynamo_plugin.backend != DynamoBackend.NO:
        backend = accelerator.state.dynamo_plugin.backend.value.lower()
        raise UsageError(
            f"accelerate is configured to compile with {backend}, which no record would say; "
            f"give --torchcompile {backend} to train instead"
        )
    if (
        accelerator.parallelism_config is not None
        and accelerator.parallelism_config.non_data_parallel_size > 1
    ):
        raise UsageError(
            "accelerate must be configured for DDP or FSDP version 2, got one that splits the model"
        )


def check_precision(accelerator: Accelerator) -> None:
    """Compute a product and compare its type with the precision that accelerate says it is in.

    Raises:
        UsageError: if the two differ; accelerate leaves out fp16 on a CPU without a word.
    """
    said = accelerator.mixed_precision
    if said not in _DTYPES:
        raise UsageError(f"mixed precision must be {', '.join(_DTYPES)}, got {said}")
    numbers = torch.ones(1, 1, device=accelerator.device)
    with accelerator.autocast():
        found = (numbers @ numbers).dtype
    if found != _DTYPES[said]:
        raise UsageError(
            f"mixed precision {said}: on {accelerator.device.type} training would compute in "
            f"{str(found).removeprefix('torch.')}; set no or bf16"
        )


def adopt_accumulation(accelerator: Accelerator, wanted: int | None) -> int | None:
    """The number of batches in an update that accelerate is configured for, from now on ours; None for one.

    Accelerate would divide every loss by its own number as well, and accumulates only in its own loops.

    Args:
        accelerator: whose number becomes 1.
        wanted: that of --grad-accum-steps, where it is given.

    Raises:
        UsageError: the two differ.
    """
    steps: int = accelerator.gradient_accumulation_steps
    if steps == 1:
        return None
    if wanted not in (None, steps):
        raise UsageError(
            f"--grad-accum-steps {wanted}, but accelerate is configured for {steps} "
            "(ACCELERATE_GRADIENT_ACCUMULATION_STEPS); give one of them"
        )
    if steps < 1:
        raise UsageError(f"ACCELERATE_GRADIENT_ACCUMULATION_STEPS must be at least 1, got {steps}")
    accelerator.gradient_accumulation_steps = 1
    return steps


def start_trackers(
    accelerator: Accelerator, directory: Path, run: RunOptions, options: Mapping[str, Any]
) -> None:
    """Start the trackers of --log-with; those that write files do so in the run's `logs`.

    Args:
        accelerator: that has the trackers.
        directory: the run's.
        run: how the run is called there.
        options: what is recorded of all options.
    """
    config = {
        name: value if isinstance(value, (bool, int, float)) else str(value)
        for name, value in options.items()
    }
    if accelerator.log_with:
        accelerator.log_with = [with_files_in(directory, tracker) for tracker in accelerator.log_with]
        project, arguments = name_in_trackers(run, directory)
        accelerator.init_trackers(project, config, arguments)


def with_files_in(directory: Path, tracker: Any) -> Any:
    """A tracker that writes to the run's `logs`, if it is one that writes files."""
    kind = LOGGER_TYPE_TO_CLASS[str(tracker)]
    return kind("logs", str(directory)) if kind.requires_logging_directory else tracker


def name_in_trackers(run: RunOptions, directory: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """The project's name, and what the trackers that have projects are made with."""
    wandb = {"name": directory.name, "tags": list(run.wandb_tags or ())}
    return run.wandb_project or "timm-multimix", {"wandb": wandb, "mlflow": {"run_name": directory.name}}
