"""The opening lines of a run: chosen defaults, and warnings about data and options."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import counted
from ..modeling.attention import has_self_attention
from ..options import TrainOptions
from ..options.declaration import declared, flag, flat
from ..options.mixing import MixingOptions
from ..options.relations import is_idle
from ..options.timm_flags import timm_flags
from ..records.tasks import MULTI_LABEL, TASKS
from .in_force import in_force
from .setup import Setup
from .state import Position

logger = logging.getLogger(__name__)


def tell_opening(setup: Setup, directory: Path, position: Position) -> None:
    """Print the opening lines on the main process, warnings first."""
    if setup.accelerator.is_main_process:
        for line in oddities(setup):
            logger.warning(line)
        logger.info("\n".join(opening_lines(setup, directory, position)))


def opening_lines(setup: Setup, directory: Path, position: Position) -> list[str]:
    """Return a line for each kind of choice."""
    return [
        setup.data.text,
        describe_model(setup, position),
        describe_mixing(setup.options.mixing, setup.splits.task),
        describe_device(setup),
        describe_updates(setup),
        *unlike_timm(setup.options),
        f"output: {directory}",
    ]


def unlike_timm(options: TrainOptions) -> Iterator[str]:
    """Line with the defaults in use that differ from those of timm's train.py, for equally named options."""
    values, found = flat(options), []
    for name, option in declared(TrainOptions).items():
        timms, value = timm_flags().get(name), values[name]
        if timms is None or name in options.given or value is None or is_idle(option, values):
            continue
        told = option.facts.bears_on_result and not option.facts.subject
        value = list(value) if isinstance(value, tuple) else value
        if told and timms.default not in (None, "", value):
            found.append(f"{flag(name)} {_shown(value)} ({_shown(timms.default)})")
    if found:
        yield f"defaults unlike those of timm's train.py, which are in brackets: {', '.join(found)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe_model(setup: Setup, position: Position) -> str:
    """Return the network, its parameters, the source of its weights, and its input size."""
    network = setup.options.network
    parameters = [*setup.model.parameters()]
    count = sum(parameter.numel() for parameter in parameters)
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    frozen = "" if trained == count else f", of which {trained:,} are trained"
    weights = "published weights" if network.pretrained else "random weights"
    if network.local_weights:
        weights = f"weights of {network.local_weights}"
    if position.parent:
        weights = f"weights of {position.parent['run']} after {counted(position.parent['epochs'], 'epoch')}"
    size = " x ".join(map(str, setup.data_config["input_size"]))
    return f"model: {network.model}, {count:,} parameters{frozen}, {weights}, input {size}"


def describe_mixing(mixing: MixingOptions, task: str) -> str:
    """Return the mixer, the loss and everything that changes the targets."""
    loss = TASKS[MULTI_LABEL if mixing.bce_loss else task].loss
    schedule = f", scheduled {mixing.mix_schedule}" if mixing.mix_schedule else ""
    smoothing = f", label smoothing {mixing.smoothing:g}" if mixing.smoothing else ""
    teacher = f", {mixing.distill:g} of the targets by the teacher {mixing.distill_teacher}"
    return f"mixing: {mixing.mix}{schedule}, {loss}{smoothing}{teacher if mixing.distill else ''}"


def describe_device(setup: Setup) -> str:
    """Return device, precision, and the number of images in an update."""
    now = in_force(setup)
    precision = {"no": "float32"}.get(now.mixed_precision, f"mixed precision {now.mixed_precision}")
    return (
        f"device: {now.device}, {counted(now.num_processes, 'process', 'processes')}, {precision}; batch "
        f"{now.batch_size} x {counted(now.num_processes, 'process', 'processes')} x "
        f"{counted(now.grad_accum_steps, 'step')} = {now.effective_batch_size} images per update"
    )


def describe_updates(setup: Setup) -> str:
    """Return the optimizer, its rate and schedule, and the number of updates."""
    now, options = in_force(setup), setup.options
    updates = setup.train.updates(options.optimization.grad_accum_steps)
    warmup = (
        f", the first {options.schedule.warmup_epochs:g} of warm-up" if setup.scheduler is not None else ""
    )
    return (
        f"optimizer: {now.optimizer}{why_this_optimizer(setup)}, learning rate {now.lr:g}, "
        f"schedule {now.schedule} over {counted(setup.epochs, 'epoch')} of "
        f"{counted(updates, 'update')}{warmup}"
    )


def why_this_optimizer(setup: Setup) -> str:
    """Return the reason for an optimizer that the user did not choose."""
    if "opt" in setup.options.given:
        return ""
    kind = "with" if has_self_attention(setup.model) else "without"
    return f" (the default for models {kind} self-attention)"


def oddities(setup: Setup) -> Iterator[str]:
    """Return possible mistakes in the data, and options that cannot be carried out as given."""
    yield from setup.data.warnings
    now, options = in_force(setup), setup.options
    batch_size, steps = options.data.loading.batch_size, options.optimization.grad_accum_steps
    images, processes = len(setup.train.dataset), now.num_processes
    if now.batch_size < batch_size:
        of = f"{processes} processes' batches" if processes > 1 else "a batch"
        yield (
            f"--batch-size {batch_size}: the {images} training images are fewer than {of}, "
            f"so every epoch is one batch of {now.batch_size}"
        )
    if now.grad_accum_steps < steps:
        yield (
            f"--grad-accum-steps {steps}: an epoch has "
            f"{counted(len(setup.train.batches), 'batch', 'batches')}, so every epoch is one update"
        )
    if (warmup := options.schedule.warmup_epochs or 0) >= setup.epochs and setup.scheduler is not None:
        yield f"--warmup-epochs {warmup:g} of {counted(setup.epochs, 'epoch')}: the rate only rises"
    yield from mixing_oddities(setup)
    sides = setup.data_config["input_size"][1:]
    if any(unseen := unseen_pixels(setup.model, sides)):
        size, cut = (" x ".join(map(str, numbers)) for numbers in (sides, unseen))
        model = options.network.model
        yield f"images of {size} pixels have no whole number of patches: {model} never sees the last {cut}"


def mixing_oddities(setup: Setup) -> Iterator[str]:
    """Return possible mistakes in what is mixed, and until when."""
    mixing = setup.options.mixing
    if mixing.mixup_off_epoch >= setup.epochs:
        yield f"--mixup-off-epoch {mixing.mixup_off_epoch} of {counted(setup.epochs, 'epoch')}: never off"
    trains = any(step.terms for _, step in setup.task.mixture.branches)
    if not (trains or mixing.mix_schedule or mixing.mixup_off_epoch):
        yield f"--mix {mixing.mix} takes no step: the model stays as it is"


def unseen_pixels(model: Any, sides: tuple[int, ...]) -> list[int]:
    """Number of pixels of each side beyond a model's last whole patch; none if it has no patches."""
    embedding = getattr(model, "patch_embed", None)
    patch = getattr(embedding, "patch_size", None)
    if patch is None or getattr(embedding, "dynamic_img_pad", False):
        return []
    patches = patch if isinstance(patch, tuple | list) else (patch, patch)
    return [side % size for side, size in zip(sides, patches, strict=True)]
