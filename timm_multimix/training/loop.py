"""One epoch of training."""

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from timm.utils.agc import adaptive_clip_grad
from torch.distributed.tensor import DTensor

from ..randomness import derive_seed
from .callbacks import Callbacks
from .consensus import Stop, Watch
from .finetune import still_frozen
from .loaders import Batch
from .mixing_image import log_mixing
from .nonfinite import KeptBuffers, poison, zero_nonfinite
from .progress import Progress
from .setup import Setup
from .state import Position, Sums

_LAYERS = 0x4C61796572  # apart from the mixers' seeds


def train_epoch(
    setup: Setup,
    position: Position,
    sums: Sums,
    progress: Progress,
    watch: Watch,
    callbacks: Callbacks,
    save: Callable[[], None],
) -> None:
    """Train from `position` to the end of its epoch; `save` is called every --checkpoint-interval updates.

    Raises:
        Stop: after an update, for a signal.
        NonFinite: for a loss that is not finite; on CPUs before the update that would use it.
    """
    optimization, total = setup.options.optimization, len(setup.train.batches)
    started = time.perf_counter() - position.seconds
    setup.task.train()
    if optimization.freeze_body:
        still_frozen(setup.model)
    batches, trained = setup.train.epoch(position.epoch, position.batch), False
    for index, batch in enumerate(batches, start=position.batch):
        if position.updates == 0 and index == 0:
            log_mixing(setup, batch)
        # An update is a group of batches; the last group of an epoch may be smaller. Its gradients are
        # divided by its own size, so that every update is a mean over its batches.
        first = index - index % optimization.grad_accum_steps
        group = min(optimization.grad_accum_steps, total - first)
        last = index == first + group - 1
        # Gradients are exchanged in the last backward pass of a group, which may not be its last batch: the
        # mix may leave out the steps after it. All processes know that, as choices are equal on all ranks.
        trains_later = not all(setup.task.skips(ahead) for ahead in range(1, first + group - index))
        trained = trained and index > first  # anything of this group
        loss = accumulate(setup, batch, sums, group=group, last=not trains_later)
        trained |= loss is not None
        if last:
            stop = watch.look(sums)
            norm = update(setup, position, sums, trained=trained, measure=progress.tracks(first, index + 1))
            progress.track_gradient(position, norm)
            position.batch, position.seconds = index + 1, time.perf_counter() - started
            callbacks.step(position)
        progress.step(position, sums, index + 1, loss)
        if last and stop:
            raise Stop
        interval = setup.options.run.checkpoint_interval
        if last and interval and position.updates % interval == 0 and index + 1 < total:
            save()
    position.seconds = time.perf_counter() - started


def accumulate(setup: Setup, batch: Batch, sums: Sums, *, group: int, last: bool) -> torch.Tensor | None:
    """Add the gradients of one batch of a group; processes exchange them with the last batch that has any.

    Returns the loss; None if the mix leaves the step out.
    """
    if setup.task.skips():
        setup.task.skip()
        sums.images += len(batch[0])
        return None
    accelerator, step = setup.accelerator, setup.task.step
    skip = setup.options.optimization.skip_nonfinite > 0
    images, labels = (tensor.to(accelerator.device, non_blocking=True) for tensor in batch[:2])
    # Dropout and stochastic depth draw from the global generator: seeded by step, a resumed run repeats them.
    torch.manual_seed(derive_seed(_LAYERS, setup.options.run.seed, accelerator.process_index, step))
    accelerator.sync_gradients = last
    kept = KeptBuffers(setup.model) if skip else None
    with nullcontext() if last else accelerator.no_sync(setup.wrapped):
        result = setup.wrapped(images.to(memory_format=setup.layout), labels)
        loss = poison(result["loss"]) if skip else result["loss"]
        accelerator.backward(loss / group)
    if kept:
        kept.restore(result["loss"].detach())
    sums.add(result, len(images), step, fatal=not skip)
    return result["loss"].detach()


def update(
    setup: Setup, position: Position, sums: Sums, *, trained: bool = True, measure: bool = False
) -> torch.Tensor | None:
    """Step the optimizer and update the average of the weights, if there are gradients; step the schedule.

    Returns the norm of the gradient, if it is to be measured.
    """
    norm = apply_gradients(setup, sums, measure) if trained else None
    position.updates += 1
    if setup.scheduler:
        setup.scheduler.step_update(position.updates)
    if trained:
        setup.task.update_ema(position.updates)
    return norm


def apply_gradients(setup: Setup, sums: Sums, measure: bool = False) -> torch.Tensor | None:
    """Clip the gradients, step the optimizer, and reset them; return their norm, if it is to be measured."""
    limit, scaler = setup.options.optimization.skip_nonfinite or None, setup.accelerator.scaler
    # a gradient scaler leaves such steps out by itself, and looks at the unscaled gradients for that
    left_out = zero_nonfinite([*setup.model.parameters()]) if limit and not scaler else None
    norm = gradient_norm(setup) if measure else None
    clip(setup)
    setup.optimizer.step()
    if scaler and setup.optimizer.step_was_skipped:
        left_out = torch.ones_like(sums.left_out, dtype=torch.bool)
    if left_out is not None:
        sums.leave_out(left_out, setup.task.step - 1, limit)
    setup.optimizer.zero_grad()
    return norm


def gradient_norm(setup: Setup) -> torch.Tensor | None:
    """Return the norm of the gradient before clipping, on the device.

    None under a gradient scaler with --clip-grad, which unscales the gradients and may do so only once.
    """
    if setup.accelerator.scaler and setup.options.optimization.clip_grad is not None:
        return None
    setup.accelerator.unscale_gradients()
    gradients = [parameter.grad for parameter in setup.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def clip(setup: Setup) -> None:
    """Clip the gradients as --clip-grad and --clip-mode say."""
    limit, mode = setup.options.optimization.clip_grad, setup.options.optimization.clip_mode
    if limit is None:
        return
    if mode == "norm":
        setup.accelerator.clip_grad_norm_(setup.model.parameters(), limit)
    elif mode == "value":
        setup.accelerator.clip_grad_value_(setup.model.parameters(), limit)
    else:
        setup.accelerator.unscale_gradients()
        adaptive_clip_grad(setup.task.get_clip_parameters(exclude_head=True), limit)
