"""Optimizer and learning-rate schedule of timm, from the options."""

from types import SimpleNamespace

import torch
from timm.optim import create_optimizer_v2, optimizer_kwargs
from timm.scheduler import create_scheduler_v2, scheduler_kwargs
from timm.scheduler.scheduler import Scheduler

from ..errors import UsageError
from ..modeling.create import attempt
from ..options.declaration import flat
from ..options.optimization import OptimizationOptions, ScheduleOptions
from .defaults import optimizer_info
from .finetune import group_arguments, scale_rates


def create_optimizer(
    optimization: OptimizationOptions, model: torch.nn.Module, *, scheduled: bool
) -> torch.optim.Optimizer:
    """Create timm's optimizer from the options; a schedule applies the rates of parameter groups itself.

    Raises:
        UsageError: the optimizer refuses an argument, or needs second derivatives.
    """
    arguments = optimizer_kwargs(optimization) | group_arguments(optimization) | optimization.opt_kwargs
    check_arguments(optimization)
    check_momentum(optimization)
    optimizer = attempt(f"optimizer {optimization.opt}", lambda: create_optimizer_v2(model, **arguments))
    if not scheduled:
        scale_rates(optimizer)
    if getattr(optimizer, "is_second_order", False):
        raise UsageError(
            f"optimizer {optimization.opt} needs second derivatives, which the trainer does not compute"
        )
    return optimizer


def check_arguments(optimization: OptimizationOptions) -> None:
    """Check that the optimizer has the arguments, which timm drops if not. Raises: UsageError."""
    opt, _ = optimization.chosen
    info, betas, eps = optimizer_info(opt), optimization.opt_betas, optimization.opt_eps
    for name, value, is_taken in (("eps", eps, info.has_eps), ("betas", betas, info.has_betas)):
        if value is not None and not is_taken:
            raise UsageError(f"--opt-{name} has no effect on {opt}, which has none; remove it")
    if betas is not None and len(betas) != info.num_betas:
        given = " ".join(f"{beta:g}" for beta in betas)
        raise UsageError(f"--opt-betas must be {info.num_betas} numbers for {opt}, got {given}")


def check_momentum(optimization: OptimizationOptions) -> None:
    """Check that Nesterov's momentum, which torch's SGD has in timm, is one. Raises: UsageError."""
    opt, _ = optimization.chosen
    info = optimizer_info(opt)
    nesterov = ((info.defaults or {}) | optimization.opt_kwargs).get("nesterov")
    momentum = optimization.opt_kwargs.get("momentum", optimization.momentum)
    if info.opt_class is torch.optim.SGD and nesterov and not momentum:
        raise UsageError(f"--momentum must be above 0 for {opt}, whose momentum is Nesterov's, got 0")


def create_scheduler(
    schedule: ScheduleOptions, epochs: int, optimizer: torch.optim.Optimizer, updates_per_epoch: int
) -> tuple[Scheduler | None, int]:
    """Create timm's learning-rate schedule, by updates, and return the number of epochs with its cooldown."""
    read = SimpleNamespace(**flat(schedule), epochs=epochs)  # timm reads attributes
    arguments = scheduler_kwargs(read) | {"step_on_epochs": False, "updates_per_epoch": updates_per_epoch}
    scheduler, epochs = attempt(
        f"schedule {schedule.sched}", lambda: create_scheduler_v2(optimizer, **arguments)
    )
    if hasattr(scheduler, "get_cycle_length"):  # in updates; timm rounds the quotient of floats down
        epochs = scheduler.get_cycle_length() / updates_per_epoch + schedule.cooldown_epochs
    return scheduler, round(epochs)
