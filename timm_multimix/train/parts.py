"""Optimizer, schedule and task from the options, and what is looked up before them."""

from argparse import Namespace

import torch
from timm.optim import create_optimizer_v2, list_optimizers, optimizer_kwargs
from timm.scheduler import create_scheduler_v2, scheduler_kwargs
from timm.scheduler.scheduler import Scheduler

from timm_multimix.data import Splits
from timm_multimix.errors import UsageError, printable
from timm_multimix.mixers import create_mixer
from timm_multimix.schedule import parse_schedule
from timm_multimix.task import MixTask

from .finetune import check_weights, group_arguments, scale_rates
from .model import attempt, check_model_name, nearest


def check_names(options: Namespace) -> None:
    """Look up what has a name, before anything slow happens.

    Raises:
        UsageError: for an unknown mixer, schedule, model or optimizer.
    """
    create_mixer(options.mix)
    if options.mix_schedule:
        parse_schedule(options.mix_schedule)
    check_model_name(options.model)
    attempt(f"model {options.model}", lambda: check_weights(options))
    optimizers = [str(name) for name in list_optimizers()]
    if options.opt.lower().removeprefix("lookahead_") not in optimizers:
        raise UsageError(f"unknown optimizer {options.opt!r}; {nearest(options.opt, optimizers)}")
    if options.export_weights == "ema" and not options.model_ema:
        raise UsageError("--export-weights ema needs --model-ema")


def check_classes(options: Namespace, splits: Splits) -> None:
    """Compare the classifier asked for with the data, whose class names are to be written in many places.

    Raises:
        UsageError: if it is too small, or a name is not UTF-8.
    """
    for name in splits.class_names:
        if name != printable(name):
            raise UsageError(f"{options.dataset}: the class name {printable(name)!r} is not UTF-8; rename it")
    if options.num_classes is not None and options.num_classes < len(splits.class_names):
        classes = len(splits.class_names)
        raise UsageError(
            f"--num-classes {options.num_classes}, but {options.dataset} has labels 0 to {classes - 1}"
        )


def create_optimizer(options: Namespace, model: torch.nn.Module) -> torch.optim.Optimizer:
    """timm's optimizer of the options.

    Raises:
        UsageError: if it refuses an argument, or needs second derivatives.
    """
    arguments = optimizer_kwargs(options) | group_arguments(options)
    optimizer = attempt(f"optimizer {options.opt}", lambda: create_optimizer_v2(model, **arguments))
    if options.sched == "none":
        scale_rates(optimizer)
    if getattr(optimizer, "is_second_order", False):
        raise UsageError(
            f"optimizer {options.opt} needs second derivatives, which training here does not make"
        )
    return optimizer


def create_scheduler(
    options: Namespace, optimizer: torch.optim.Optimizer, updates_per_epoch: int
) -> tuple[Scheduler | None, int]:
    """timm's schedule of the learning rate, by updates, and the number of epochs with its cooldown."""
    arguments = scheduler_kwargs(options) | {"step_on_epochs": False, "updates_per_epoch": updates_per_epoch}
    scheduler, epochs = attempt(
        f"schedule {options.sched}", lambda: create_scheduler_v2(optimizer, **arguments)
    )
    if hasattr(scheduler, "get_cycle_length"):  # in updates; timm rounds the quotient of floats down
        epochs = scheduler.get_cycle_length() / updates_per_epoch + options.cooldown_epochs
    return scheduler, round(epochs)


def create_task(options: Namespace, model: torch.nn.Module, steps: int, epoch_steps: int) -> MixTask:
    """The training task: mixer, loss, teacher and moving average; `steps` are all batches to come."""
    task = MixTask(
        model,
        options.mix,
        criterion="sigmoid" if options.bce_loss else "softmax",
        smoothing=options.smoothing,
        distill=options.distill,
        teacher=options.distill_teacher,
        seed=options.seed,
        distill_warmup=round(options.distill_warmup_epochs * epoch_steps),
        schedule=options.mix_schedule,
        total_steps=steps,
    )
    if options.model_ema:
        task.setup_ema(decay=options.model_ema_decay, use_warmup=options.model_ema_warmup)
    if options.torchcompile:
        attempt(f"--torchcompile {options.torchcompile}", lambda: task.compile(backend=options.torchcompile))
    return task
