"""Joint actions of the processes of a run."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list, gather_object

from ..errors import UsageError
from ..randomness import choice_generator, draw_generator
from ..task import MixTask
from .sharding import whole

Result = TypeVar("Result")


def on_main(accelerator: Accelerator, action: Callable[[], Result]) -> Result:
    """Run an action once, on the main process; every process gets its result.

    Raises:
        UsageError: on every process, if the action raised one.
    """
    outcome: list[Any] = [None, None]
    if accelerator.is_main_process:
        try:
            outcome[0] = action()
        except UsageError as error:
            outcome[1] = str(error)
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise UsageError(outcome[1])
    return outcome[0]


def check_same_broken(broken: Sequence[str]) -> None:
    """Check that all processes leave the same images out: each takes its part of an order of the others.

    Raises:
        UsageError: on every process, if they do not.
    """
    found = gather_object([list(broken)])
    if any(each != found[0] for each in found):
        counts = ", ".join(str(len(each)) for each in found)
        raise UsageError(
            f"broken images must be the same for every process, got {counts}: some can be read at times only"
        )


@torch.no_grad()
def share_buffers(module: torch.nn.Module) -> None:
    """Copy the main process's buffers (BatchNorm statistics) to all, as they differ after DDP's steps."""
    for buffer in module.buffers():
        buffer.copy_(broadcast(buffer))


def compare_ranks(task: MixTask, processes: int) -> dict[str, bool]:
    """Return whether processes hold equal parameters, chose the same mixers and made different draws.

    Choices and draws are functions of (seed, rank, step), so those of the last steps are repeated here.
    """
    steps = range(max(0, task.step - 100), task.step)
    chosen_steps = (task.mixture.choose(choice_generator(task.seed, step)) for step in steps)
    chosen = [[(mixer.name, mixer.place, mixer.layers) for mixer in chosen.mixers] for chosen in chosen_steps]
    drawn = [draw_generator(task.seed, step, torch.device("cpu")).initial_seed() for step in steps]
    digest = parameter_digest(task.trainable_module) if processes > 1 else ""
    facts = gather_object([(digest, chosen, tuple(drawn))])
    parameters, choices, draws = zip(*facts, strict=True)
    return {
        "parameters_equal_on_ranks": len(set(parameters)) == 1,
        "choices_equal_on_ranks": all(choice == choices[0] for choice in choices),
        "draws_differ_on_ranks": len(set(draws)) == len(draws),
    }


def parameter_digest(module: torch.nn.Module) -> str:
    """Return a SHA-256 of this process's parameters."""
    summary = hashlib.sha256()
    for parameter in module.parameters():
        summary.update(whole(parameter).contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return summary.hexdigest()
