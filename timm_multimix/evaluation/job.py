"""Everything an evaluation needs, made from its options before anything is measured."""

import sys
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from timm_multimix.data.measured import Split, load_pictures, load_split
from timm_multimix.errors import UsageError
from timm_multimix.hub.provenance import dataset_kind
from timm_multimix.mixers import Mixture
from timm_multimix.records import read_options

from .classifier import Classifier, load_classifier, run_folder
from .consistency import create_input_mixer
from .pictures import Pictures, match_classes

_OF_THE_RUN = ("dataset", "val_split", "image_column", "label_column")


@dataclass
class Job:
    """The parts of an evaluation. `unknown`: pictures to be told from the known ones, by dataset."""

    options: Namespace
    run: Path | None
    classifier: Classifier
    split: Split
    pictures: Pictures
    outputs: int
    surrogate: Classifier | None = None
    unknown: dict[str, Pictures] = field(default_factory=dict)
    mixtures: dict[str, Mixture] = field(default_factory=dict)


def prepare(options: Namespace) -> Job:
    """Load the model and open all data.

    Raises:
        UsageError: for every option that cannot work.
    """
    device = choose_device(options.device)
    mixtures = {spec: create_input_mixer(spec) for spec in options.consistency or []}
    folder = run_folder(options.model)
    options = adopt_run(options, folder)
    split = None if has_classes(options, folder) else open_split(options, None)
    if split is not None and options.img_size is None:
        options.img_size = split.defaults.get("img_size")
    classifier = load_classifier(options, lambda: len(split.class_names) if split else 0).to(device)
    split = split or open_split(options, classifier.label_names)
    for note in split.notes:
        print(f"warning: {note}", file=sys.stderr)
    outputs = count_outputs(classifier)
    source = match_classes(split, classifier.label_names, outputs)
    pictures = Pictures(source, classifier, options)
    unknown = {name: Pictures(load_pictures(name).source, classifier, options) for name in options.ood or []}
    surrogate = load_surrogate(options, classifier, outputs) if options.transfer_from else None
    if options.embedding_plot:
        check_embedding(classifier, len(pictures))
    return Job(options, folder, classifier, split, pictures, outputs, surrogate, unknown, mixtures)


def choose_device(name: str) -> torch.device:
    """The device of this name; for `auto` an accelerator, else the CPU.

    Raises:
        UsageError: there is none.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: not here ({reason}); cpu always is") from error


def adopt_run(options: Namespace, folder: Path | None) -> Namespace:
    """A copy of the options in which a run's own data stand for a dataset that is not given."""
    adopted = Namespace(**vars(options))
    if options.dataset is None:
        adopted.dataset = "digits"
        if folder is not None:
            theirs = vars(read_options(folder))
            given = {name: getattr(options, name) for name in _OF_THE_RUN}
            vars(adopted).update({n: given[n] if given[n] is not None else theirs[n] for n in given})
    return adopted


def has_classes(options: Namespace, folder: Path | None) -> bool:
    """Whether the model comes with weights, and so with classes of its own."""
    return bool(folder or options.pretrained or options.model.startswith(("local-dir:", "hf-hub:")))


def open_split(options: Namespace, class_names: list[str] | None) -> Split:
    """The split to measure on."""
    return load_split(
        options.dataset,
        val_split=options.val_split,
        image_column=options.image_column,
        label_column=options.label_column,
        class_names=class_names,
    )


@torch.no_grad()
def count_outputs(classifier: Classifier) -> int:
    """The number of the model's classes."""
    return classifier(classifier.mean.new_zeros(1, *classifier.data_config["input_size"])).shape[1]


def load_surrogate(options: Namespace, classifier: Classifier, outputs: int) -> Classifier:
    """The model whose gradients a black-box attack uses.

    Raises:
        UsageError: it takes other pictures than the model or has other classes.
    """
    input_size = classifier.data_config["input_size"]
    changes = {"model": options.transfer_from, "model_kwargs": {}, "img_size": list(input_size[-2:])}
    surrogate = load_classifier(Namespace(**(vars(options) | changes)), lambda: outputs)
    surrogate.to(classifier.mean.device)
    theirs, classes = surrogate.data_config["input_size"], count_outputs(surrogate)
    names = classifier.label_names, surrogate.label_names
    if tuple(theirs) != tuple(input_size) or classes != outputs or (all(names) and names[0] != names[1]):
        raise UsageError(
            f"--transfer-from {options.transfer_from} takes {_size(theirs)} pictures of {classes} classes;"
            f" expected are those of the model, {_size(input_size)} of {outputs}, with the same names"
        )
    return surrogate


def check_embedding(classifier: Classifier, count: int) -> None:
    """Raises: UsageError if there is no embedding, or too few pictures to draw one of."""
    zeros = classifier.mean.new_zeros(1, *classifier.data_config["input_size"])
    with torch.no_grad():
        embedding = classifier.embed(zeros)[1]
    if embedding is None:
        raise UsageError("--embedding-plot: the model has no classifier to tell apart from its embedding")
    if count < 4:
        raise UsageError(f"--embedding-plot: {count} pictures are too few to draw, at least 4 are needed")


def _size(input_size: Any) -> str:
    return "x".join(map(str, input_size))


def describe_data(job: Job, name: str) -> dict[str, str]:
    """A dataset's name and kind, for the record."""
    return {"dataset": name, "kind": dataset_kind(name)}
