"""The parts of an evaluation, created from its options before anything is measured."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..data.fingerprint import fingerprint
from ..data.given_loader import LoaderSource
from ..data.held_out import Rows
from ..data.labels import ModelNames
from ..data.measured import Split, load_pictures, load_split
from ..data.objects import open_object
from ..data.sources import Source
from ..data.targets import task_of_source
from ..errors import UsageError
from ..files import cannot_write, check_writable
from ..mixers import Mixture
from ..mixers.plugins import import_modules
from ..options.data import OBJECT
from ..options.declaration import flag, flat
from ..options.evaluation import (
    EvaluatedDataOptions,
    EvaluatedModelOptions,
    EvaluateOptions,
    MeasureOptions,
)
from ..options.model import WITH_WEIGHTS
from ..options.relations import names_of
from ..options.shared import ColumnOptions
from ..records.provenance import dataset_kind, model_kind
from ..records.reader import read_options, read_summary, run_directory
from ..records.tasks import CLASSIFICATION
from .classifier import Classifier, load_classifier
from .consistency import create_input_mixer
from .pictures import Pictures, match_classes

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """The parts of an evaluation.

    unknown: the out-of-distribution images by dataset; unwritten: files that could not be written, of which
    the end of the evaluation says so.
    """

    options: EvaluateOptions
    run: Path | None
    dataset: str
    classifier: Classifier
    split: Split
    pictures: Pictures
    outputs: int
    surrogate: Classifier | None = None
    unknown: dict[str, Pictures] = field(default_factory=dict)
    mixtures: dict[str, Mixture] = field(default_factory=dict)
    other_classes: bool = False  # the data's are not the model's, which was allowed
    unwritten: dict[Path, OSError] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """A model and a dataset given as objects; None if the options name them."""

    classifier: Classifier | None = None
    data: Any = None


def prepare(options: EvaluateOptions, given: Given) -> Job:
    """Load the model and open all data that are not given.

    Raises:
        UsageError: an option that cannot work.
    """
    network, measures, report = options.network, options.measures, options.report
    device = choose_device(report.device)
    import_modules(measures.import_)
    mixtures = {spec: create_input_mixer(spec) for spec in measures.consistency}
    run = run_directory(network.model)
    dataset, columns = find_data(options.data, run)
    own_classes = given.classifier is not None or has_classes(network.model, network.pretrained, run)
    split = None if own_classes else open_split(dataset, columns, given.data)
    if split is not None and network.img_size is None:
        network = network.but(img_size=split.defaults.get("img_size"))

    if given.classifier is not None:
        classifier = given.classifier.to(device)
    else:
        classifier = load(network, report.seed, lambda: len(split.class_names) if split else 0).to(device)
    split = split or open_split(dataset, columns, given.data, classifier.label_names)
    check_held_out(split, run, dataset)
    for note in split.notes:
        logger.warning(note)
    outputs = count_outputs(classifier)
    check_measures(measures, dataset, task_of_source(split.source))

    def read(source: Source) -> Pictures:
        data = options.data
        return Pictures(source, classifier, data.loading, seed=report.seed, skip_broken=data.skip_broken)

    source, other_classes = match_classes(
        split, classifier.label_names, outputs, allow_others=options.data.allow_other_classes
    )
    pictures = read(source)
    unknown = {name: read(load_pictures(name).source) for name in measures.ood}
    surrogate = None
    if measures.transfer_from:
        size = tuple(classifier.data_config["input_size"][-2:])
        other = network.but(model=measures.transfer_from, model_kwargs={}, img_size=size)
        surrogate = load(other, report.seed, lambda: outputs).to(device)
        check_surrogate(measures.transfer_from, surrogate, classifier, outputs)
    if measures.embedding_plot:
        check_embedding(classifier, len(pictures))
        check_figure(measures.embedding_plot)
    return Job(
        options,
        run,
        dataset,
        classifier,
        split,
        pictures,
        outputs,
        surrogate,
        unknown,
        mixtures,
        other_classes,
    )


def load(network: EvaluatedModelOptions, seed: int, count_classes: Callable[[], int]) -> Classifier:
    """Load a model by name; logs a warning if its weights are random."""
    loaded = load_classifier(
        network.model,
        count_classes,
        pretrained=network.pretrained,
        model_kwargs=network.model_kwargs,
        input=network.input,
        seed=seed,
    )
    if loaded.is_random:
        logger.warning(f"{network.model} has random weights (seed {seed}); --pretrained loads trained ones")
    return loaded


def open_split(
    dataset: str, columns: ColumnOptions, data: Any, class_names: list[str] | None = None
) -> Split:
    """Open the split to measure on, by name or from an object; `class_names` are the model's.

    Raises:
        UsageError: it cannot be opened, or its classes are not known.
    """
    if data is None and dataset.startswith(OBJECT):
        raise UsageError(
            f"the run was trained on a {dataset.removeprefix(OBJECT)} object; give data to evaluate on"
        )
    known = ModelNames(class_names) if class_names else None
    if data is None:
        return load_split(dataset, **flat(columns), class_names=known)
    source, names = open_object(data, "data", columns, class_names=known)
    if isinstance(source, LoaderSource):
        raise UsageError("data must be a dataset, not a loader; give the loader's dataset")
    return Split(source, "data", names, {})


def choose_device(name: str) -> torch.device:
    """Return the device of this name; for `auto` an accelerator, else the CPU.

    Raises:
        UsageError: it is not available.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name} is not available ({reason}); use --device cpu") from error


def find_data(data: EvaluatedDataOptions, run: Path | None) -> tuple[str, ColumnOptions]:
    """Dataset to measure on, its splits and columns: those given, else the run's own, else digits."""
    if run is None:
        return data.dataset or "digits", data.columns
    own = read_options(run).data
    if data.dataset is not None and not _is_same(data.dataset, own.dataset):
        return data.dataset, data.columns
    given = {name: value for name, value in flat(data.columns).items() if value is not None}
    return own.dataset, own.columns.but(**given)


def _is_same(dataset: str, other: str) -> bool:
    """Return whether two names are of one dataset: the same name, or paths of one directory or file."""
    here, there = (os.path.realpath(os.path.expanduser(name)) for name in (dataset, other))
    return dataset == other or (here == there and os.path.exists(here))


def check_held_out(split: Split, run: Path | None, dataset: str) -> None:
    """Check that what is held out of a run's training split is what it was not trained on.

    Data of another name may be the same in another place, which a warning says.

    Raises:
        UsageError: another part is asked for, or the data have changed, so that others are held out.
    """
    if run is None or not isinstance(split.source, Rows):
        return
    record = read_summary(run)
    own = (record.evaluation_split, record.evaluation_data)
    now = (split.name, record.evaluation_data and fingerprint(split.source))
    if not split.name.endswith(f" of {record.train_split}") or now == own:
        return
    if dataset != record.dataset:
        logger.warning(
            f"{split.name} of {dataset} is not what the run held out of {record.dataset}: if these are the "
            "same data in another place, the run was trained on some of the images"
        )
        return
    wanted, got = (" = ".join(filter(None, part)) for part in (own, now))
    raise UsageError(
        f"the part held out of {record.dataset} must be that of the run, {wanted}, got {got}: "
        "the run was trained on some of these images"
    )


def has_classes(model: str, pretrained: bool, run: Path | None) -> bool:
    """Return whether a model comes with weights, and so with classes of its own."""
    return bool(run or pretrained or model.startswith(WITH_WEIGHTS))


@torch.no_grad()
def count_outputs(classifier: Classifier) -> int:
    """Return the number of the model's classes."""
    return classifier(classifier.mean.new_zeros(1, *classifier.data_config["input_size"])).shape[1]


def check_measures(measures: MeasureOptions, dataset: str, task: str) -> None:
    """Check that the requested parts are defined for the labels.

    Raises:
        UsageError: a part is defined for one class an image, and the labels are others.
    """
    values, per_class = flat(measures), names_of(MeasureOptions, per_class=True)
    asked = [name for name in sorted(per_class) if values[name]]
    if asked and task != CLASSIFICATION:
        raise UsageError(f"{flag(asked[0])} is for one class an image; {dataset} is {task}: remove it")


def check_surrogate(name: str, surrogate: Classifier, classifier: Classifier, outputs: int) -> None:
    """Check the model whose gradients a black-box attack uses.

    Raises:
        UsageError: its images or classes differ from the model's.
    """
    theirs, expected = (model.data_config["input_size"] for model in (surrogate, classifier))
    classes, names = count_outputs(surrogate), (classifier.label_names, surrogate.label_names)
    if tuple(theirs) != tuple(expected) or classes != outputs or (all(names) and names[0] != names[1]):
        raise UsageError(
            f"--transfer-from {name} takes {_size(theirs)} images of {classes} classes;"
            f" expected are those of the model, {_size(expected)} of {outputs}, with the same names"
        )


def check_embedding(classifier: Classifier, count: int) -> None:
    """Check that there is an embedding, and enough images to draw it; raises UsageError if not."""
    zeros = classifier.mean.new_zeros(1, *classifier.data_config["input_size"])
    with torch.no_grad():
        embedding = classifier.embed(zeros)[1]
    if embedding is None:
        raise UsageError(
            "--embedding-plot: the model has no separate classifier, so its embedding is unknown"
        )
    if count < 4:
        raise UsageError(f"--embedding-plot: there must be at least 4 images, got {count}")


def check_figure(file: Path) -> None:
    """Check that the embedding plot can be written; raises UsageError if not."""
    try:
        check_writable(file)
    except OSError as error:
        raise UsageError(f"--embedding-plot: {cannot_write(file, error)}") from error


def describe_model(name: str) -> dict[str, str]:
    """Return a model's name and kind, for the record."""
    return {"name": name, "kind": model_kind(name)}


def _size(input_size: Any) -> str:
    return "x".join(map(str, input_size))


def describe_data(name: str) -> dict[str, str]:
    """Return a dataset's name and kind, for the record."""
    return {"dataset": name, "kind": dataset_kind(name)}
