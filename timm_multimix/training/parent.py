"""Continuation of a finished run by a new run, which starts with its weights and its optimizer's state.

The new run is independent: its epochs, its learning-rate schedule and its mixing schedule start again and
cover the new epochs only; its record names the run that it continues.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import digest
from ..options import TrainOptions
from ..options.declaration import declared, flag, flat
from ..options.relations import check_together, names_of, overruled
from ..records.reader import read_options, read_summary
from ..records.schema import ParentRecord


def describe_parent(run: Path) -> ParentRecord:
    """Return the facts about the continued run for the record of the new one.

    Raises:
        UsageError: the run has no record, or no model.
    """
    record, weights = read_summary(run), run / "model" / "model.safetensors"
    try:
        sha256 = digest(weights)
    except OSError as error:
        raise UsageError(f"--resume {run}: {weights} cannot be read ({error.strerror})") from None
    before = record.parent.epochs if record.parent else 0
    parent = ParentRecord(run=str(run), epochs=before + record.epochs, sha256=sha256)
    return replace(parent, **{record.metric: record.result})  # type: ignore[arg-type]  # of the task


def child_options(options: TrainOptions, run: Path) -> TrainOptions:
    """Return the options of a run that continues another: those given, else those of that run.

    The warm-up is a tenth of the new epochs unless it is given.

    Raises:
        UsageError: an option is given that a continuation cannot change.
    """
    mine, saved = flat(options), flat(read_options(run))
    free = names_of(TrainOptions, new_in_child=True)
    fixed = names_of(TrainOptions, bears_on_result=True) - free
    for name in sorted(fixed & options.given):
        if mine[name] != saved[name]:
            raise UsageError(
                f"{flag(name)} must be that of the run to continue, {saved[name]}, got {mine[name]}; "
                f"a continuation can change {', '.join(flag(name) for name in sorted(free))}"
            )
    _check_noise(saved, mine, options.given)
    inherited = {name: saved[name] for name in fixed | free}
    below = overruled(declared(TrainOptions), inherited, options.given)
    child = options.but(**below)
    if "warmup_epochs" not in options.given:
        child = child.but(warmup_epochs=None)
    check_together(child)
    return replace(child, given=options.given | saved.keys())


def _check_noise(saved: Mapping[str, Any], mine: Mapping[str, Any], given: Collection[str]) -> None:
    """Check that wrong labels stay as they were; raises UsageError."""
    if saved["label_noise"] and mine["seed"] != saved["seed"] and "seed" in given:
        raise UsageError(
            f"--seed must be that of the run to continue, {saved['seed']}, as it draws the wrong labels of "
            f"--label-noise, got {mine['seed']}"
        )
