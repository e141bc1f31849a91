"""Go on from the end of a finished run: a new run with its weights and its optimizer's state.

The new run is one of its own: its epochs, its schedule and its mixing schedule begin anew and are of the new
epochs only; its record names the run it came from.
"""

from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..files import digest
from ..options import TrainOptions
from ..options.declaration import flag, flat
from ..options.relations import names_of
from ..records import ParentRecord, read_options, read_summary


def describe_parent(run: Path) -> ParentRecord:
    """What the record of a new run tells of the one that it goes on from.

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
    """The options of a run that goes on from the end of another: those given, else those of that run.

    The warm-up is a tenth of the new epochs unless it is given.

    Raises:
        UsageError: an option is given that a run that goes on cannot change.
    """
    mine, saved = flat(options), flat(read_options(run))
    free = names_of(TrainOptions, new_in_child=True)
    fixed = names_of(TrainOptions, bears_on_result=True) - free
    for name in sorted(fixed & options.given):
        if mine[name] != saved[name]:
            raise UsageError(
                f"{flag(name)} must be that of the run to go on from, {saved[name]}, got {mine[name]}; "
                f"a run that goes on can change {', '.join(flag(name) for name in sorted(free))}"
            )
    kept = (fixed | free) - options.given
    child = options.but(**{name: saved[name] for name in fixed | kept})
    if "warmup_epochs" not in options.given:
        child = child.but(warmup_epochs=None)
    return replace(child, given=options.given | saved.keys())
