"""One epoch of training."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from timm.utils.agc import adaptive_clip_grad

from timm_multimix.errors import UsageError
from timm_multimix.seeding import derive_seed

from .finetune import still_frozen
from .loaders import Batch
from .position import Position
from .progress import Progress
from .setup import Setup
from .sums import Sums

_LAYERS = 0x4C61796572  # apart from the mixers' seeds


def train_epoch(
    setup: Setup, position: Position, sums: Sums, progress: Progress, save: Callable[[Position, Sums], None]
) -> None:
    """Train from `position` to the end of its epoch; `save` is called every --checkpoint-interval updates."""
    options, total = setup.options, len(setup.train.batches)
    started = time.perf_counter() - position.seconds
    setup.task.train()
    if options.freeze_body:
        still_frozen(setup.model)
    for index, batch in enumerate(local_batches(setup, position), start=position.batch):
        first = index - index % options.grad_accum_steps
        group = min(options.grad_accum_steps, total - first)
        last = index == first + group - 1
        accumulate(setup, batch, sums, group=group, last=last)
        progress.step(position, sums, index + 1)
        if last:
            update(setup, position)
            position.batch, position.seconds = index + 1, time.perf_counter() - started
            interval = options.checkpoint_interval
            if interval and position.updates % interval == 0 and index + 1 < total:
                sums.read(setup.accelerator)  # so that no checkpoint is kept of a run that has failed
                save(position, sums)
    position.seconds = time.perf_counter() - started


def local_batches(setup: Setup, position: Position) -> Iterator[Batch]:
    """The batches left in the epoch. A broken image is the trouble of one process, so that one reports it."""
    try:
        yield from setup.train.epoch(position.epoch, position.batch)
    except UsageError as error:
        if not setup.accelerator.is_main_process:
            print(f"error: {error}", file=sys.stderr, flush=True)
        raise


def accumulate(setup: Setup, batch: Batch, sums: Sums, *, group: int, last: bool) -> None:
    """Add the gradients of one batch of a group; processes exchange them with the last."""
    accelerator, step = setup.accelerator, setup.task.step
    images, labels = (tensor.to(accelerator.device, non_blocking=True) for tensor in batch[:2])
    torch.manual_seed(derive_seed(_LAYERS, setup.options.seed, accelerator.process_index, step))
    accelerator.sync_gradients = last
    with nullcontext() if last else accelerator.no_sync(setup.wrapped):
        result = setup.wrapped(images.to(memory_format=setup.layout), labels)
        accelerator.backward(result["loss"] / group)
    sums.add(result, len(images), step)


def update(setup: Setup, position: Position) -> None:
    """Clip, step the optimizer and its schedule, and move the average of the weights."""
    clip(setup)
    setup.optimizer.step()
    setup.optimizer.zero_grad()
    position.updates += 1
    if setup.scheduler:
        setup.scheduler.step_update(position.updates)
    setup.task.update_ema(position.updates)


def clip(setup: Setup) -> None:
    """Bound the gradients as --clip-grad and --clip-mode say."""
    limit, mode = setup.options.clip_grad, setup.options.clip_mode
    if limit is None:
        return
    if mode == "norm":
        setup.accelerator.clip_grad_norm_(setup.model.parameters(), limit)
    elif mode == "value":
        setup.accelerator.clip_grad_value_(setup.model.parameters(), limit)
    else:
        setup.accelerator.unscale_gradients()
        adaptive_clip_grad(setup.task.get_clip_parameters(exclude_head=True), limit)
