"""Find, validate and create the run directory (new or resumed). `claim` writes, and `reserve` tidies up."""

import itertools
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import delete, write_text
from ..options import TrainOptions, options_to_yaml
from ..options.declaration import flag, flat
from ..options.model import LOCAL
from ..options.relations import names_of
from ..options.run import RunOptions
from ..records.lock import NAME as LOCK
from ..records.lock import RunLock
from ..records.reader import is_run, read_options, read_summary
from ..records.schema import ParentRecord
from .checkpoint import Found, clean_up, find_checkpoint, find_damage
from .parent import child_options, describe_parent

RESULTS = ("metrics.csv", "summary.json", "curves.png", "model", "hub", "nonfinite", "evaluation.json")
LOG = "train.log"
WRITTEN = ("config.yaml", "checkpoints", "logs", LOG, *RESULTS)
"""The files of a run, which --overwrite deletes."""


@dataclass
class RunDirectory:
    """A run's directory (None: a new one under runs/), its options, and what it is resumed from."""

    path: Path | None
    options: TrainOptions
    checkpoint: Path | None = None
    summary: dict[str, Any] | None = None  # of a run that is finished
    parent: ParentRecord | None = None  # whose end, at the checkpoint, a new run goes on from
    made: bool = False  # by this run
    warnings: list[str] = field(default_factory=list)

    def goes_on_from_another(self, directory: Path) -> bool:
        """Return whether the checkpoint is not one of this directory."""
        return self.checkpoint is not None and run_of(self.checkpoint).resolve() != directory.resolve()


def reserve(options: TrainOptions, lock: RunLock) -> RunDirectory:
    """Lock the run that is to be changed, then call `find_run_directory`, so that nothing changes in between.

    Raises:
        UsageError: another process is using it, and as `find_run_directory`.
    """
    run = run_to_change(options.run)
    if run is not None:
        lock.take(run)
        clean_up(run)  # a checkpoint that was just being replaced has its name again
    return find_run_directory(options)


def run_to_change(options: RunOptions) -> Path | None:
    """Return the directory of an earlier run that is to be resumed or replaced; None if it is finished."""
    source = Path(options.resume) if options.resume not in (None, "auto") else None
    run = Path(options.output) if options.output else source and run_of(source)
    if run is None or not is_run(run) or not (options.resume or options.overwrite):
        return None
    named = source is not None and source != run_of(source)
    return run if options.overwrite or named or not is_finished(run) else None


def run_of(source: Path) -> Path:
    """Return the run of a directory, or of a checkpoint in it."""
    return source.parent.parent if source.parent.name == "checkpoints" else source


def find_run_directory(options: TrainOptions) -> RunDirectory:
    """Find where a run starts, or resumes with the options it was started with.

    Raises:
        UsageError: the output directory is in use, or there is nothing of this run to resume.
    """
    run_options = options.run
    output = Path(run_options.output) if run_options.output else None
    if run_options.resume not in (None, "auto"):
        return find_resumed(Path(run_options.resume), output, options)
    if run_options.resume == "auto" and output and is_run(output):
        return find_rest(output, options)
    if output:
        check_usable(output, run_options.overwrite)
    if output and run_options.overwrite:
        check_starts_elsewhere(output, options)
    return RunDirectory(output, options)


def find_resumed(source: Path, output: Path | None, options: TrainOptions) -> RunDirectory:
    """Find the run or checkpoint that --resume names, to be resumed there or continued in another directory.

    Raises:
        UsageError: it is not a run, or nothing of it can be resumed.
    """
    run = run_of(source)
    if not is_run(run):
        raise UsageError(
            f"--resume must be auto, a run's directory or one of its checkpoints, got {source}; weights of "
            "another trainer are given as --initial-checkpoint"
        )
    found = find_checkpoint(run) if run == source else check_named(source)
    if found.checkpoint is None:
        reason = found.damage[0] if found.damage else f"{run / 'checkpoints'} holds none"
        raise UsageError(f"--resume {source}: no complete checkpoint there ({reason})")
    if output is None or output.resolve() == run.resolve():
        return find_rest(run, options, found)
    check_usable(output, False)
    resumed = RunDirectory(output, options, found.checkpoint, warnings=tell_damage(found))
    if run == source and "epochs" in options.given and is_finished(run):
        return replace(resumed, options=child_options(options, run), parent=describe_parent(run))
    return replace(resumed, options=adopt(options, run))


def check_named(checkpoint: Path) -> Found:
    """Return the requested checkpoint, if it is intact."""
    damage = find_damage(checkpoint)
    return Found(None, [damage]) if damage else Found(checkpoint, [])


def tell_damage(found: Found) -> list[str]:
    """Return a warning about damaged checkpoints that were skipped."""
    return [f"{damage}; resuming from {found.checkpoint}" for damage in found.damage]


def is_finished(directory: Path) -> bool:
    """Return whether the run in a directory has finished."""
    return (directory / "summary.json").is_file()


def check_usable(directory: Path, overwrite: bool) -> None:
    """Check that a directory is empty, or a run to be overwritten; raises UsageError."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--output {directory} is a file")
    if not directory.is_dir() or all(map(_is_nobodys, directory.iterdir())):
        return
    if not is_run(directory):
        raise UsageError(
            f"--output {directory} is not empty and is not a run's directory; choose a new or empty directory"
        )
    if not overwrite:
        raise UsageError(
            f"--output {directory} holds a run; resume it with --resume auto or replace it with --overwrite"
        )
    try:
        read_options(directory)
    except UsageError as error:  # other programs have a config.yaml, a model/ and logs/, too
        raise UsageError(f"--output {directory} must be a run's directory to be replaced: {error}") from None


def check_starts_elsewhere(directory: Path, options: TrainOptions) -> None:
    """Check that no weights that a run needs are in the directory that it replaces; raises UsageError."""
    network, mixing = options.network, options.mixing
    needed = {
        "--model": network.model if network.model.startswith(LOCAL) else None,
        "--pretrained-path": network.pretrained_path,
        "--initial-checkpoint": network.initial_checkpoint,
        "--distill-teacher": mixing.distill_teacher if mixing.distill_teacher.startswith(LOCAL) else None,
    }
    for name, source in needed.items():
        path = Path(str(source).removeprefix(LOCAL)).expanduser().resolve()
        if source is not None and path.is_relative_to(directory.resolve()):
            raise UsageError(f"{name} must be outside of the run that --overwrite deletes, got {source}")


def _is_nobodys(path: Path) -> bool:
    """Return whether a killed run may have left this in a directory without a run."""
    if path.name == "checkpoints" and path.is_dir():
        return all(map(_is_nobodys, path.iterdir()))
    return path.name.startswith(".tmp-") or path.name in (LOCK, LOG)


def find_rest(run: Path, options: TrainOptions, found: Found | None = None) -> RunDirectory:
    """Return what remains to be done of a run in its own directory, from the given or the newest checkpoint.

    Raises:
        UsageError: there were checkpoints, and none can be used.
    """
    adopted, done = adopt(options, run), run / "summary.json"
    named = found is not None and options.run.resume == str(found.checkpoint)
    if done.is_file() and not named:
        return RunDirectory(run, adopted, summary=read_summary(run).to_dict())
    found = found or find_checkpoint(run)
    if found.checkpoint is None:
        check_is_new(run, found)
    return RunDirectory(run, adopted, found.checkpoint, warnings=tell_damage(found))


def check_is_new(run: Path, found: Found) -> None:
    """Check that a run without an intact checkpoint has not trained yet; raises UsageError."""
    advice = "start again with --overwrite instead of --resume, or with another --output"
    if found.damage:
        raise UsageError(f"no checkpoint in {run} is intact ({'; '.join(found.damage)}); {advice}")
    if (run / "metrics.csv").is_file():
        raise UsageError(
            f"{run / 'metrics.csv'} has finished epochs, but {run / 'checkpoints'} holds no checkpoint; "
            f"{advice}"
        )


def adopt(options: TrainOptions, run: Path) -> TrainOptions:
    """Return the options a run was started with, but for given ones, which must not change its result.

    Raises:
        UsageError: names the first given option that differs and changes the result.
    """
    mine, saved = flat(options), flat(read_options(run))
    fixed = names_of(TrainOptions, bears_on_result=True)
    for name in sorted(fixed & options.given):
        if mine[name] != saved[name]:
            new = f"; to train so many more, use --resume {run} --output NEW" if _can_go_on(name, run) else ""
            raise UsageError(
                f"{flag(name)} {_shown(mine[name])}: the run to resume in {run} has {_shown(saved[name])}, "
                f"which only a new run can change{new}"
            )
    kept = fixed | (names_of(TrainOptions, recorded=True) - options.given)
    adopted = options.but(**{name: saved[name] for name in kept})
    return replace(adopted, given=options.given | saved.keys())


def _can_go_on(name: str, run: Path) -> bool:
    """Return whether another value of an option is a reason to continue this run in a new one."""
    return name == "epochs" and is_finished(run)


def _shown(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def claim(found: RunDirectory, options: TrainOptions, lock: RunLock) -> Path:
    """Create a run's directory, lock it and write its config.yaml.

    In a directory that goes on from another one's checkpoint, `go_on_here` writes it, after the first
    checkpoint: without one, the run would be resumed from its start.

    Raises:
        UsageError: the directory cannot be written to, or another run has taken it meanwhile.
    """
    try:
        found.made = found.path is None or not found.path.exists()
        directory = found.path or new_directory(options.network.model, options.mixing.mix)
        directory.mkdir(parents=True, exist_ok=True)
        if lock.take(directory):
            check_usable(directory, False)
        delete_all(directory, WRITTEN if options.run.overwrite else ("summary.json",))
        clean_up(directory)
        if not found.goes_on_from_another(directory):
            write_config(directory, options)
    except OSError as error:
        raise UsageError(f"cannot write the run's directory: {error}") from error
    return directory


def write_config(directory: Path, options: TrainOptions) -> None:
    """Write config.yaml, which makes a directory that of a run."""
    write_text(directory / "config.yaml", options_to_yaml(options))


def go_on_here(found: RunDirectory, directory: Path, options: TrainOptions) -> None:
    """Take over a run from another directory, of which this one has a checkpoint by now.

    The best weights are copied; a new run with a parent has none yet.
    """
    assert found.checkpoint is not None
    before = found.checkpoint.with_name("best")
    if found.parent is None and before.is_dir():
        shutil.copytree(before, directory / "checkpoints" / "best")
    write_config(directory, options)


def delete_all(directory: Path, names: Iterable[str]) -> None:
    """Delete files and directories of a run."""
    for name in names:
        delete(directory / name)


def drop_if_worthless(found: RunDirectory, directory: Path) -> None:
    """Delete the files of a run that failed, if it produced nothing of use."""
    if any((directory / name).exists() for name in RESULTS) or [*directory.glob("checkpoints/[!.]*")]:
        return
    with suppress(OSError):
        clean_up(directory)
        delete_all(directory, (*WRITTEN, LOCK))
        if found.made:
            directory.rmdir()


def new_directory(model: str, mix: str) -> Path:
    """Create a new directory runs/DATE-TIME-MODEL-MIX; runs that start in the same second get numbers."""
    words = (re.sub(r"[^A-Za-z0-9.-]+", "_", word).strip("_.")[:40] for word in (model, mix))
    name = "-".join([time.strftime("%Y%m%d-%H%M%S"), *words])
    for number in itertools.count(1):
        directory = Path("runs") / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        break
    return directory
