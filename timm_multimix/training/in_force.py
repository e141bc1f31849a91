"""The settings that are in effect in a run, for the record and the opening lines."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .setup import Setup


@dataclass(frozen=True)
class InForce:
    """The settings, named as in `RunRecord`; accelerate's were checked when it was started."""

    device: str
    num_processes: int
    mixed_precision: str
    batch_size: int  # images of one process in one training step
    grad_accum_steps: int
    effective_batch_size: int  # images in one update
    optimizer: str
    lr: float  # the highest, after the warm-up
    schedule: str


def in_force(setup: "Setup") -> InForce:
    """Return the settings that are in effect."""
    options, accelerator = setup.options, setup.accelerator
    size = setup.train.batch_size
    optimizer, lr = options.optimization.chosen
    steps = min(options.optimization.grad_accum_steps, len(setup.train.batches))
    return InForce(
        device=accelerator.device.type,
        num_processes=accelerator.num_processes,
        mixed_precision=accelerator.mixed_precision,
        batch_size=size,
        grad_accum_steps=steps,
        effective_batch_size=size * accelerator.num_processes * steps,
        optimizer=optimizer,
        lr=lr,
        schedule=options.schedule.sched,
    )
