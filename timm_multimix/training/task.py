"""The training task of a run, from the options."""

import torch

from ..errors import UsageError
from ..functional.criteria import BinaryCrossEntropy, Criterion
from ..modeling.create import attempt
from ..options.mixing import MixingOptions
from ..options.run import AveragingOptions
from ..records.tasks import CLASSIFICATION, TASKS
from ..schedule import MixSchedule, Window
from ..task import MixTask


def create_task(
    mixing: MixingOptions,
    averaging: AveragingOptions,
    model: torch.nn.Module,
    *,
    seed: int,
    steps: int,
    epoch_steps: int,
    task: str = CLASSIFICATION,
    backend: str | None = None,
) -> MixTask:
    """Create the training task: mixer, loss, teacher and moving average.

    Args:
        mixing: mixer, targets and teacher.
        averaging: the moving average of the weights.
        model: the network to train.
        seed: seed of the mixers.
        steps: number of all batches.
        epoch_steps: number of batches in an epoch.
        task: the kind of labels, one of `TASKS`.
        backend: backend that compiles the model; None does not compile it.
    """
    mixed = MixTask(
        model,
        mixing.mix,
        criterion=choose_criterion(mixing, task),
        smoothing=mixing.smoothing,
        distill=mixing.distill,
        teacher=mixing.distill_teacher,
        seed=seed,
        distill_warmup=round(mixing.distill_warmup_epochs * epoch_steps),
        schedule=mixing.mix_schedule or schedule_until(mixing.mixup_off_epoch, steps, epoch_steps),
        total_steps=steps,
    )
    if averaging.model_ema:
        mixed.setup_ema(decay=averaging.model_ema_decay, use_warmup=averaging.model_ema_warmup)
    if backend:
        attempt(f"--torchcompile {backend}", lambda: mixed.compile(backend=backend))
    return mixed


def choose_criterion(mixing: MixingOptions, task: str = CLASSIFICATION) -> str | Criterion:
    """Return the loss of --bce-loss and its options, else the task's."""
    if not mixing.bce_loss:
        return TASKS[task].criterion
    threshold, weight = mixing.bce_target_thresh, mixing.bce_pos_weight
    if threshold is None and weight is None and not mixing.bce_sum:
        return "sigmoid"
    return BinaryCrossEntropy(threshold, weight, mixing.bce_sum)


def schedule_until(epoch: int, steps: int, epoch_steps: int) -> MixSchedule | None:
    """Return the schedule that mixes before an epoch, counted from 0, and not after; None for all epochs."""
    end = epoch * epoch_steps / steps
    return MixSchedule((Window(0.0, end),)) if 0 < end < 1 else None


def fit_average_to_shards(averaging: AveragingOptions, task: MixTask) -> None:
    """Let a teacher's moving average follow sharded weights.

    Raises:
        UsageError: with --model-ema, as passes through the average alone cannot bring its parts together.
    """
    if averaging.model_ema:
        raise UsageError("--model-ema under FSDP: the average of sharded weights cannot be evaluated")
    if task.has_ema():
        task.trainable_module_ema.foreach = False  # sharded parameters and whole buffers do not mix
