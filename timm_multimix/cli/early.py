"""Checks of names before torch is imported: of mixers, datasets, models and files."""

import fnmatch
import os
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

from ..dataset_names import check_path
from ..errors import UsageError
from ..mixer_names import GROUP, PER_SAMPLE, names_in_source, names_in_spec, unknown_mixer
from ..options import TrainOptions
from ..options.comparison import CompareOptions
from ..options.evaluation import EvaluateOptions
from ..options.model import LOCAL
from ..options.parser import read_layer
from ..options.prediction import PredictOptions
from ..options.preview import PreviewOptions
from ..records.reader import run_directory


def check_training(options: TrainOptions) -> None:
    """Check the names of a run. Raises: UsageError."""
    check_mixers([options.mixing.mix], options.mixing.import_)
    check_path(options.data.dataset)
    check_model_directory(options.network.model)
    options.network.check_files()


def check_evaluation(options: EvaluateOptions) -> None:
    """Check the names of an evaluation. Raises: UsageError."""
    check_mixers(options.measures.consistency, options.measures.import_)
    run_directory(options.network.model)
    check_model_directory(options.network.model)
    for dataset in filter(None, (options.data.dataset, *options.measures.ood)):
        check_path(dataset)


def check_preview(options: PreviewOptions) -> None:
    """Check the names of a preview. Raises: UsageError."""
    check_mixers([options.file.mix], options.file.import_)
    check_path(options.data.dataset)
    if options.network.model is not None:
        run_directory(options.network.model)
        check_model_directory(options.network.model)


def check_comparison(options: CompareOptions) -> None:
    """Check the names in the options of arms, and that there is a run to compare. Raises: UsageError."""
    for arm in options.arms:
        chosen = read_layer(TrainOptions, [*options.training, *arm.words])
        check_mixers([chosen.get("mix", "none")], chosen.get("import_", ()))
        check_path(chosen.get("dataset", "digits"))
    if options.runs and not any(run.is_dir() for run in options.runs):
        raise UsageError(f"{options.runs[0]} is not a run's directory: there is no such directory")


def check_prediction(options: PredictOptions) -> None:
    """Check that the model and the images of a prediction exist. Raises: UsageError."""
    run_directory(options.model)
    check_model_directory(options.model)
    if missing := [image for image in options.images if not image.exists()]:
        others = f" and {len(missing) - 1} others that do not" if missing[1:] else ""
        raise UsageError(f"IMAGE must be a file or directory that exists, got {missing[0]}{others}")


def check_alone(command: str) -> None:
    """Check that a command that works in one process was not launched in several. Raises: UsageError."""
    launched = os.environ.get("WORLD_SIZE", "1")
    if launched != "1":
        raise UsageError(
            f"{command} works in one process, but {launched} were launched; start it without a launcher"
        )


def check_mixers(specs: Iterable[str], imports: Iterable[str]) -> None:
    """Check the names of mixers in specs against the source of this package.

    Raises:
        UsageError: an unknown mixer, unless `imports` or other packages may register it.
    """
    known = _known_mixers(imports)
    for name in (name for spec in specs for name in names_in_spec(spec)):
        if known is not None and name not in known:
            raise unknown_mixer(name, known)


def check_pattern(pattern: str, imports: Iterable[str]) -> None:
    """Check that a glob pattern matches a mixer. Raises: UsageError."""
    known = _known_mixers(imports)
    if known is not None and not fnmatch.filter((*known, PER_SAMPLE), pattern):
        raise no_match(pattern, known)


def no_match(pattern: str, known: Iterable[str]) -> UsageError:
    """Return the error for a pattern that matches no mixer."""
    return UsageError(f"no mixer matches {pattern!r}; there are {', '.join(known)}")


def _known_mixers(imports: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names of all mixers; None if modules that are not imported yet may register more."""
    if [*imports] or "torch" in sys.modules or entry_points(group=GROUP):
        return None
    try:
        return names_in_source()
    except OSError:
        return None


def check_model_directory(model: str) -> None:
    """Check that the directory of a model exists. Raises: UsageError."""
    directory = Path(model.removeprefix(LOCAL))
    if model.startswith(LOCAL) and not directory.expanduser().is_dir():
        raise UsageError(f"model {model}: there is no directory {directory}")
