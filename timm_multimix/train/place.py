"""Where a run lives: a new folder, or an old one to go on in. Only `claim` writes."""

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timm_multimix.errors import UsageError
from timm_multimix.files import write_text
from timm_multimix.options import TrainOptions, options_to_yaml, parse_train_options
from timm_multimix.options.declaration import flag, flat
from timm_multimix.options.relations import names_of

from .checkpoint import clean_up, is_intact, newest_checkpoint

RESULTS = ("metrics.csv", "summary.json", "curves.png", "model", "hub", "nonfinite", "evaluation.json")
WRITTEN = ("config.yaml", "checkpoints", "logs", *RESULTS)
"""What a run writes, and --overwrite deletes."""


@dataclass
class Place:
    """A run's folder (None: a new one under runs/), its options, and what there is to go on from."""

    folder: Path | None
    options: TrainOptions
    checkpoint: Path | None = None
    summary: dict[str, Any] | None = None  # of a run that is finished
    made: bool = False  # by this run


def find_place(options: TrainOptions) -> Place:
    """Look where a run is to start, or to go on with the options it was started with.

    Raises:
        UsageError: if the output folder is in use, or there is nothing of this run to resume.
    """
    run_options = options.run
    output = Path(run_options.output) if run_options.output else None
    if run_options.resume == "auto" and output and is_run(output):
        return find_rest(output, newest_checkpoint(output), options)
    if run_options.resume is None or run_options.resume == "auto":
        if output:
            check_usable(output, run_options.overwrite)
        return Place(output, options)
    source = Path(run_options.resume)
    run = source.parent.parent if source.parent.name == "checkpoints" else source
    if not is_run(run):
        raise UsageError(f"--resume {source}: neither `auto` nor a run's folder nor one of its checkpoints")
    checkpoint = newest_checkpoint(run) if run == source else source
    if checkpoint is None or not is_intact(checkpoint):
        raise UsageError(f"--resume {source}: no complete checkpoint there")
    if output and output.resolve() != run.resolve():
        check_usable(output, False)
        return Place(output, adopt(options, run), checkpoint)
    return find_rest(run, checkpoint, options)


def is_run(folder: Path) -> bool:
    """Whether a run was started in a folder."""
    return (folder / "config.yaml").is_file()


def check_usable(folder: Path, overwrite: bool) -> None:
    """Raises: UsageError if a folder holds something, unless that is a run to be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder} is a file")
    if not folder.is_dir() or all(path.name.startswith(".tmp-") for path in folder.iterdir()):
        return
    if not is_run(folder):
        raise UsageError(f"--output {folder} holds files that are no run's; choose a new or empty folder")
    if not overwrite:
        raise UsageError(
            f"--output {folder} holds a run; go on with --resume auto or replace it with --overwrite"
        )


def find_rest(run: Path, checkpoint: Path | None, options: TrainOptions) -> Place:
    """What is left to do of a run in its own folder."""
    adopted, done = adopt(options, run), run / "summary.json"
    named = checkpoint is not None and options.run.resume == str(checkpoint)
    summary = json.loads(done.read_text(encoding="utf-8")) if done.is_file() and not named else None
    return Place(run, adopted, checkpoint, summary)


def adopt(options: TrainOptions, run: Path) -> TrainOptions:
    """The options a run was started with, and of those now given the ones that leave its result alone.

    Raises:
        UsageError: which names the first option given that differs and matters.
    """
    mine, saved = flat(options), flat(parse_train_options(["--config", str(run / "config.yaml")]))
    fixed = names_of(TrainOptions, bears_on_result=True)
    for name in sorted(fixed & options.given):
        if mine[name] != saved[name]:
            raise UsageError(
                f"{flag(name)} {_shown(mine[name])}: the run to resume in {run} has {_shown(saved[name])}, "
                "which only a new run can change"
            )
    adopted = options.but(**{name: saved[name] for name in fixed})
    return replace(adopted, given=options.given | saved.keys())


def _shown(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def claim(place: Place, options: TrainOptions) -> Path:
    """Make a run's folder ready and write its config.yaml.

    Raises:
        UsageError: if the folder cannot be written to.
    """
    try:
        place.made = place.folder is None or not place.folder.exists()
        folder = place.folder or new_folder(options.network.model, options.mixing.mix)
        folder.mkdir(parents=True, exist_ok=True)
        delete(folder, WRITTEN if options.run.overwrite else ("summary.json",))
        clean_up(folder)
        write_text(folder / "config.yaml", options_to_yaml(options))
        best = place.checkpoint and place.checkpoint.with_name("best")
        if best and best.is_dir() and not (folder / "checkpoints" / "best").exists():
            shutil.copytree(best, folder / "checkpoints" / "best")
    except OSError as error:
        raise UsageError(f"cannot write the run's folder: {error}") from error
    return folder


def delete(folder: Path, names: Iterable[str]) -> None:
    """Delete files and folders of a run."""
    for path in (folder / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def drop_if_worthless(place: Place, folder: Path) -> None:
    """Delete what a run that failed has left, if nothing came of it that anyone could use."""
    if any((folder / name).exists() for name in RESULTS) or [*folder.glob("checkpoints/[!.]*")]:
        return
    with suppress(OSError):
        clean_up(folder)
        delete(folder, WRITTEN)
        if place.made:
            folder.rmdir()


def new_folder(model: str, mix: str) -> Path:
    """A new folder runs/DATE-TIME-MODEL-MIX; runs that start in the same second get numbers."""
    words = (re.sub(r"[^A-Za-z0-9.-]+", "_", word).strip("_.")[:40] for word in (model, mix))
    name = "-".join([time.strftime("%Y%m%d-%H%M%S"), *words])
    for number in itertools.count(1):
        folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        break
    return folder
