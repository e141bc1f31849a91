"""The training task of a run, from the options."""

import torch

from ..errors import UsageError
from ..modeling.create import attempt
from ..options.mixing import MixingOptions
from ..options.run import AveragingOptions
from ..task import MixTask


def create_task(
    mixing: MixingOptions,
    averaging: AveragingOptions,
    model: torch.nn.Module,
    *,
    seed: int,
    steps: int,
    epoch_steps: int,
    backend: str | None = None,
) -> MixTask:
    """The training task: mixer, loss, teacher and moving average.

    Args:
        mixing: mixer, targets and teacher.
        averaging: the moving average of the weights.
        model: the network to train.
        seed: of the mixers.
        steps: all batches to come.
        epoch_steps: the batches of an epoch.
        backend: what compiles the model; None leaves it as it is.
    """
    task = MixTask(
        model,
        mixing.mix,
        criterion="sigmoid" if mixing.bce_loss else "softmax",
        smoothing=mixing.smoothing,
        distill=mixing.distill,
        teacher=mixing.distill_teacher,
        seed=seed,
        distill_warmup=round(mixing.distill_warmup_epochs * epoch_steps),
        schedule=mixing.mix_schedule,
        total_steps=steps,
    )
    if averaging.model_ema:
        task.setup_ema(decay=averaging.model_ema_decay, use_warmup=averaging.model_ema_warmup)
    if backend:
        attempt(f"--torchcompile {backend}", lambda: task.compile(backend=backend))
    return task


def fit_average_to_shards(averaging: AveragingOptions, task: MixTask) -> None:
    """Let a teacher's moving average follow sharded weights.

    Raises:
        UsageError: with --model-ema, as passes through the average alone cannot bring its parts together.
    """
    if averaging.model_ema:
        raise UsageError("--model-ema under FSDP: the average of sharded weights cannot be evaluated")
    if task.has_ema():
        task.trainable_module_ema.foreach = False  # sharded parameters and whole buffers do not mix
