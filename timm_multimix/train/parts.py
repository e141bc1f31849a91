"""Optimizer, schedule and task from the options, and what is looked up before them."""

from types import SimpleNamespace

import torch
from timm.optim import create_optimizer_v2, list_optimizers, optimizer_kwargs
from timm.scheduler import create_scheduler_v2, scheduler_kwargs
from timm.scheduler.scheduler import Scheduler

from ..data import Splits
from ..errors import UsageError, printable
from ..mixers import create_mixer
from ..modeling.create import attempt, check_model_name, nearest
from ..options import TrainOptions
from ..options.declaration import flat
from ..options.mixing import MixingOptions
from ..options.optimization import OptimizationOptions, ScheduleOptions
from ..options.run import AveragingOptions
from ..schedule import parse_schedule
from ..task import MixTask
from .finetune import check_weights, group_arguments, scale_rates


def check_names(options: TrainOptions) -> None:
    """Look up what has a name, before anything slow happens.

    Raises:
        UsageError: for an unknown mixer, schedule, model or optimizer.
    """
    network, mixing, optimizer = options.network, options.mixing, options.optimization.opt
    create_mixer(mixing.mix)
    if mixing.mix_schedule:
        parse_schedule(mixing.mix_schedule)
    check_model_name(network.model)
    attempt(f"model {network.model}", lambda: check_weights(network, mixing))
    optimizers = [str(name) for name in list_optimizers()]
    if optimizer.lower().removeprefix("lookahead_") not in optimizers:
        raise UsageError(f"unknown optimizer {optimizer!r}; {nearest(optimizer, optimizers)}")


def check_classes(wanted: int | None, dataset: str, splits: Splits) -> None:
    """Compare the classifier asked for with the data, whose class names are to be written in many places.

    Raises:
        UsageError: if it is too small, or a name is not UTF-8.
    """
    for name in splits.class_names:
        if name != printable(name):
            raise UsageError(f"{dataset}: the class name {printable(name)!r} is not UTF-8; rename it")
    classes = len(splits.class_names)
    if wanted is not None and wanted < classes:
        raise UsageError(f"--num-classes {wanted}, but {dataset} has labels 0 to {classes - 1}")


def create_optimizer(
    optimization: OptimizationOptions, model: torch.nn.Module, *, scheduled: bool
) -> torch.optim.Optimizer:
    """timm's optimizer of the options; a schedule applies the rates of parameter groups by itself.

    Raises:
        UsageError: if it refuses an argument, or needs second derivatives.
    """
    arguments = optimizer_kwargs(optimization) | group_arguments(optimization)
    optimizer = attempt(f"optimizer {optimization.opt}", lambda: create_optimizer_v2(model, **arguments))
    if not scheduled:
        scale_rates(optimizer)
    if getattr(optimizer, "is_second_order", False):
        raise UsageError(
            f"optimizer {optimization.opt} needs second derivatives, which training here does not make"
        )
    return optimizer


def create_scheduler(
    schedule: ScheduleOptions, epochs: int, optimizer: torch.optim.Optimizer, updates_per_epoch: int
) -> tuple[Scheduler | None, int]:
    """timm's schedule of the learning rate, by updates, and the number of epochs with its cooldown."""
    read = SimpleNamespace(**flat(schedule), epochs=epochs)  # timm reads attributes
    arguments = scheduler_kwargs(read) | {"step_on_epochs": False, "updates_per_epoch": updates_per_epoch}
    scheduler, epochs = attempt(
        f"schedule {schedule.sched}", lambda: create_scheduler_v2(optimizer, **arguments)
    )
    if hasattr(scheduler, "get_cycle_length"):  # in updates; timm rounds the quotient of floats down
        epochs = scheduler.get_cycle_length() / updates_per_epoch + schedule.cooldown_epochs
    return scheduler, round(epochs)


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
