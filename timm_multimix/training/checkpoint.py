"""Checkpoints that resume bitwise exactly; a kill at any moment leaves earlier checkpoints intact."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..data.fingerprint import fingerprint
from ..errors import UsageError
from ..files import digest, fresh_directory, publish_directory, read_json, remove_directory, tidy
from .packing import pack, unpack
from .setup import Setup
from .sharding import is_sharded, whole
from .state import Position, Sums

_COMMON = ("state.json", "state.safetensors", "weights.safetensors")
"""The files that all processes share."""


def save_checkpoint(directory: Path, setup: Setup, position: Position, sums: Sums) -> None:
    """Write `directory/step-UPDATES`; all processes call it together.

    Only the newest --checkpoint-hist checkpoints are kept.
    """
    accelerator = setup.accelerator
    target = directory / f"step-{position.updates:08d}"
    if accelerator.is_main_process:
        fresh_directory(target)
    accelerator.wait_for_everyone()  # nobody writes into the directory before the main process has emptied it
    temporary = target.with_name(f".tmp-new-{target.name}")
    save_file(_rank_tensors(setup, sums), temporary / _rank_name(accelerator.process_index))
    _save_common(temporary, setup, position)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        # Digests, and the directory's name, come last: a kill at any earlier moment leaves a temporary
        # directory, which is never read, and a disk that loses data later is detected on resume.
        digests = {path.name: digest(path) for path in sorted(temporary.iterdir())}
        (temporary / "check.json").write_text(json.dumps(digests, indent=1), encoding="utf-8")
        publish_directory(temporary, target)
        _prune(directory, target, setup.options.run.checkpoint_hist)


def _prune(directory: Path, newest: Path, count: int) -> None:
    """Keep the newest and those before it; later ones are of a line that the run has left, going back."""
    found = complete_checkpoints(directory)
    kept = [path for path in found if path.name <= newest.name][-count:]
    for old in set(found) - set(kept):
        remove_directory(old)


def _rank_name(rank: int) -> str:
    return f"rank-{rank:05d}.safetensors"


def _rank_tensors(setup: Setup, sums: Sums) -> dict[str, torch.Tensor]:
    """Return the tensors that differ between processes: buffers of model and average, sums of the epoch."""
    tensors = {f"buffer.{name}": whole(value).contiguous() for name, value in setup.buffers().items()}
    return tensors | {f"sums.{name}": value for name, value in sums.tensors().items()}


def _save_common(directory: Path, setup: Setup, position: Position) -> None:
    """Write what all processes share; processes that hold only parts of it send them to the main one."""
    # `whole` gathers sharded tensors, a collective that every process has to join.
    if not (setup.accelerator.is_main_process or is_sharded(setup.model)):
        return
    weights = {name: whole(value).contiguous() for name, value in setup.weights().items()}
    state, tensors = pack(_common_state(setup, position))
    if setup.accelerator.is_main_process:
        state_json, state_tensors, all_weights = (directory / name for name in _COMMON)
        save_file(weights, all_weights)
        save_file(tensors, state_tensors)
        state_json.write_text(state, encoding="utf-8")


def _common_state(setup: Setup, position: Position) -> dict[str, Any]:
    scaler = setup.accelerator.scaler
    return {
        "position": asdict(position),
        "task_step": setup.task.step,
        "conditions": conditions(setup),
        "optimizer": setup.optimizer.state_dict(),
        "scheduler": setup.scheduler.state_dict() if setup.scheduler else None,
        "scaler": scaler.state_dict() if scaler else None,
    }


def conditions(setup: Setup) -> dict[str, Any]:
    """Return conditions that determine the result but are not options."""
    return {
        "number of processes": setup.accelerator.num_processes,
        "mixed precision": setup.accelerator.mixed_precision,
        "training images": len(setup.train.dataset),
        "class names": setup.splits.class_names,
        "training data": fingerprint(setup.splits.train),
        "evaluation data": fingerprint(setup.splits.evaluation),
    }


def load_checkpoint(directory: Path, setup: Setup) -> tuple[Position, Sums]:
    """Restore a run from a checkpoint.

    Raises:
        UsageError: it was written under other conditions.
    """
    state, rank = _load_weights(directory, setup)
    setup.task.step = state["task_step"]
    setup.load_optimizer(state["optimizer"])
    if setup.scheduler:
        setup.scheduler.load_state_dict(state["scheduler"])
    sums = {k.removeprefix("sums."): v for k, v in rank.items() if k.startswith("sums.")}
    return Position(**_renamed(state["position"])), Sums.from_tensors(sums, setup.accelerator.device)


def load_parent(directory: Path, setup: Setup) -> None:
    """Start a run with the weights and the optimizer's state of a checkpoint of another run.

    Learning rate, weight decay and the like are those of the new run, and so is the schedule.

    Raises:
        UsageError: it was written under other conditions.
    """
    state, _ = _load_weights(directory, setup)
    # An optimizer's state dict also holds the hyperparameters of its groups; the new run's are put back.
    fresh = [
        {name: value for name, value in group.items() if name != "params"}
        for group in setup.optimizer.param_groups
    ]
    setup.load_optimizer(state["optimizer"])
    for group, values in zip(setup.optimizer.param_groups, fresh, strict=True):
        group.update(values)


def _load_weights(directory: Path, setup: Setup) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Load weights, buffers and the loss scale; return the common state and this process's tensors."""
    state = unpack(
        (directory / "state.json").read_text(encoding="utf-8"), load_file(directory / "state.safetensors")
    )
    for name, now in conditions(setup).items():
        before = state["conditions"].get(name, now)
        if before != now:
            raise UsageError(f"{name} must be that of {directory}, {before}, got {now}")
    rank = load_file(directory / _rank_name(setup.accelerator.process_index))
    setup.load_weights(load_file(directory / "weights.safetensors"))
    setup.load_weights({k.removeprefix("buffer."): v for k, v in rank.items() if k.startswith("buffer.")})
    if setup.accelerator.scaler:
        setup.accelerator.scaler.load_state_dict(state["scaler"])
    return state, rank


def complete_checkpoints(directory: Path) -> list[Path]:
    """Return the finished checkpoints in a run's `checkpoints` directory, oldest first."""
    return sorted(path for path in directory.glob("step-*") if path.is_dir())


def find_damage(checkpoint: Path) -> str | None:
    """Return what is damaged in a checkpoint; None if it is intact."""
    try:
        digests = read_json(checkpoint / "check.json")
        if lacking := sorted({*_COMMON, _rank_name(0)} - digests.keys()):
            return f"{checkpoint / 'check.json'} lacks {', '.join(lacking)}"
        damaged = (name for name, value in digests.items() if digest(checkpoint / name) != value)
        name = next(damaged, None)
    except UsageError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename} cannot be read ({error.strerror})"
    except ValueError:
        return f"{checkpoint / 'check.json'} holds what is no file's name"
    return f"{checkpoint / name} does not hold what was written" if name is not None else None


@dataclass(frozen=True)
class Found:
    """The newest intact checkpoint of a run, and the damage of newer ones."""

    checkpoint: Path | None
    damage: list[str]


def find_checkpoint(run: Path) -> Found:
    """Find the newest intact checkpoint of a run directory, and the damage of newer ones."""
    damage: list[str] = []
    for path in reversed(complete_checkpoints(run / "checkpoints")):
        wrong = find_damage(path)
        if wrong is None:
            return Found(path, damage)
        damage.append(wrong)
    return Found(None, damage)


def clean_up(run: Path) -> None:
    """Delete temporary files of a killed run; a checkpoint that was just being replaced is back then."""
    for place in (run, run / "checkpoints"):
        tidy(place)


def _renamed(position: dict[str, Any]) -> dict[str, Any]:
    """Convert a position of an earlier version to the present names."""
    # They stored a number even before the first evaluation, when `best_epoch` was still 0.
    if "best_top1" not in position:
        return position
    rest = {name: value for name, value in position.items() if name != "best_top1"}
    return rest | {"best": position["best_top1"] if position["best_epoch"] else None}
