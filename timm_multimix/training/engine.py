"""Set-up of accelerate: processes, device, precision, and checks that its settings take effect.

Accelerate reads settings from its environment, some of which are also options of a run, and some of which it
does not carry out. They are reconciled here, so that the record of a run is true.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from accelerate.utils import DistributedType, DynamoBackend, InitProcessGroupKwargs

from .._compat.accelerate import is_fsdp2, splits_model
from ..errors import UsageError
from ..modeling.create import attempt
from ..options.run import RunOptions
from . import consensus

_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""Dtype of a matrix product, by the name of the precision."""


def start_accelerator(trackers: Sequence[str]) -> Accelerator:
    """Create the accelerator that the launcher describes.

    Raises:
        UsageError: several processes were launched that would each run alone, a tracker is missing, or
            a setting of accelerate would not be carried out.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    # Without this, processes on a machine without accelerator form no group, and each trains alone.
    cpu = launched > 1 and not torch.accelerator.is_available()
    # The directory of the logs is not known yet: see `start_trackers`.
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
    """Refuse engines that keep weights or optimizer where checkpoints would miss them; raises UsageError."""
    engine = accelerator.distributed_type
    if engine in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise UsageError(
            f"accelerate must be configured for one process, DDP or FSDP version 2, got {engine.value}"
        )
    if engine == DistributedType.FSDP and not is_fsdp2(accelerator):
        raise UsageError(
            "accelerate is configured for FSDP version 1; set fsdp_version to 2 (accelerate 1.6 or newer)"
        )
    if accelerator.state.dynamo_plugin.backend != DynamoBackend.NO:
        backend = accelerator.state.dynamo_plugin.backend.value.lower()
        raise UsageError(
            f"accelerate is configured to compile with {backend}, which the run's record would miss; "
            f"give --torchcompile {backend} to train instead"
        )
    if splits_model(accelerator):
        raise UsageError(
            "accelerate must be configured for DDP or FSDP version 2, got one that splits the model"
        )


def check_precision(accelerator: Accelerator) -> None:
    """Compute a product and compare its dtype with the precision that accelerate reports.

    Raises:
        UsageError: the two differ; accelerate silently ignores fp16 on a CPU.
    """
    said = accelerator.mixed_precision
    if said not in _DTYPES:
        raise UsageError(f"mixed precision must be {', '.join(_DTYPES)}, got {said}")
    # Accelerate drops settings that a device lacks without a warning; only a computation shows what is used.
    numbers = torch.ones(1, 1, device=accelerator.device)
    with accelerator.autocast():
        found = (numbers @ numbers).dtype
    if found != _DTYPES[said]:
        raise UsageError(
            f"mixed precision {said}: on {accelerator.device.type} training would compute in "
            f"{str(found).removeprefix('torch.')}; set no or bf16"
        )


def adopt_accumulation(accelerator: Accelerator, wanted: int | None) -> int | None:
    """Take over the number of batches per update for which accelerate is configured; None for one.

    Accelerate would also divide every loss by its own number, and accumulates only in its own loops.

    Args:
        accelerator: its number becomes 1.
        wanted: --grad-accum-steps, if it is given.

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
    accelerator.gradient_accumulation_steps = 1  # else accelerate divides the loss a second time
    return steps


def start_trackers(
    accelerator: Accelerator, directory: Path, run: RunOptions, options: Mapping[str, Any]
) -> None:
    """Start the trackers of --log-with; those that write files do so in the run's `logs`.

    Args:
        accelerator: has the trackers.
        directory: the run's directory.
        run: name of the run in the trackers.
        options: the options to record.
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
    """Return a tracker that writes to the run's `logs`, if it writes files."""
    kind = LOGGER_TYPE_TO_CLASS[str(tracker)]
    return kind("logs", str(directory)) if kind.requires_logging_directory else tracker


def name_in_trackers(run: RunOptions, directory: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the project's name, and the arguments of the trackers that have projects."""
    wandb = {"name": directory.name, "tags": list(run.wandb_tags or ())}
    return run.wandb_project or "timm-multimix", {"wandb": wandb, "mlflow": {"run_name": directory.name}}
