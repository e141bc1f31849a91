"""The record of a run that its card is made from, as JSON, fit to be published."""

import json
import shlex
from pathlib import Path
from typing import Any

from ..errors import UsageError, printable
from ..files import finite, read_json
from ..options import options_to_dict
from ..records import read_metrics, read_options
from ..records import read_run as read_finished
from ..records.evaluations import public_evaluation, read_evaluation
from ..records.provenance import path_prefixes, public_options
from ..redaction import public, redact

Record = dict[str, Any]

REQUIRED = {
    "summary": [
        "mix",
        "model",
        "base_model",
        "dataset",
        "dataset_kind",
        "epochs",
        "seed",
        "num_processes",
        "samples_evaluated",
        "top1",
        "top1_best",
        "best_epoch",
        "exported_weights",
        "evaluation_split",
        "best_chosen_on_test_split",
        "results",
        "train_split",
        "train_samples",
        "classes",
        "parameters",
        "hardware",
        "mixed_precision",
        "train_seconds",
        "images_per_second",
        "command",
        "versions",
    ],
    "options": ["model", "dataset", "mix", "distill", "epochs", "batch_size", "lr", "opt", "seed"],
    "model": ["architecture", "num_classes", "num_features", "label_names", "input", "license"],
    "published": ["epoch", "weights", "top1"],
}
"""What a record holds at least, besides `metrics`, the rows of metrics.csv; it may hold an `evaluation`."""


def read_run(run: Path) -> tuple[Record, Path]:
    """The record of a finished run and the folder of its model.

    Raises: UsageError if a folder holds no finished run, or one with a damaged file.
    """
    found = read_finished(run)
    record = make_record(run, found.model, found.record.to_dict(), found.record.epochs, found.record.top1)
    return record, found.model


def make_record(run: Path, model: Path, summary: dict[str, Any], epoch: int, top1: float) -> Record:
    """The record of a run whose weights in the folder `model` are those of an epoch.

    Raises: UsageError if a file is damaged.
    """
    config = read_model_config(model)
    options = options_to_dict(read_options(run))
    kind = summary["dataset_kind"]
    evaluation = read_evaluation(run, model)
    record = {
        "summary": public_summary(summary, options, kind),
        "options": public_options(options, kind),
        "metrics": read_metrics(run),
        "model": {
            "architecture": config["architecture"],
            "num_classes": config["num_classes"],
            "num_features": config["num_features"],
            "label_names": config["label_names"],
            "input": {
                name: config["pretrained_cfg"].get(name)
                for name in ("input_size", "mean", "std", "crop_pct", "crop_mode", "interpolation")
            },
            "license": config["pretrained_cfg"].get("license"),
        },
        "published": {"epoch": epoch, "weights": summary["exported_weights"], "top1": top1},
    }
    return record | ({"evaluation": public_evaluation(evaluation)} if evaluation else {})


def public_summary(summary: dict[str, Any], options: dict[str, Any], kind: str) -> dict[str, Any]:
    """summary.json as others may see it."""
    told = public({name: value for name, value in summary.items() if name != "command"})
    named = public_options({name: summary[name] for name in ("model", "dataset")}, kind)
    return told | named | {"command": public_command(summary["command"], options, kind)}


def public_command(command: str, options: dict[str, Any], kind: str) -> str:
    """A command line with folders by their names."""
    told = public_options(options, kind)
    names = {str(options[key]): str(told[key]) for key in path_prefixes() if key in told}
    words = []
    for word in shlex.split(command):
        flag, equals, value = word.partition("=")
        known = names.get(word) or (f"{flag}={names[value]}" if equals and value in names else None)
        words.append(redact(known) if known else public(word))
    return shlex.join(words)


def read_model_config(model: Path) -> dict[str, Any]:
    """The config.json of an exported model.

    Raises: UsageError if it cannot be read, or lacks what a record holds of it.
    """
    path = model / "config.json"
    config = read_json(path)
    kinds = {"architecture": str, "num_classes": int, "num_features": int, "label_names": list}
    for name, kind in (kinds | {"pretrained_cfg": dict}).items():
        if not isinstance(config.get(name), kind):
            raise UsageError(f"{path} is damaged: it has no {name}")
    if not all(isinstance(label, str) for label in config["label_names"]):
        raise UsageError(f"{path} is damaged: label_names are not texts")
    return config


def missing_entries(record: Record) -> list[str]:
    """What a record lacks of `REQUIRED`, as `part.name`."""
    lacking = [
        f"{part}.{name}"
        for part, names in REQUIRED.items()
        for name in names
        if name not in record.get(part, {})
    ]
    return lacking + ([] if record.get("metrics") else ["metrics"])


def with_license(record: Record, license: Any) -> Record:
    """A record with the licence that is said in the end: the run's, or the one chosen on the Hub."""
    told = ", ".join(map(str, license)) if isinstance(license, list) else license
    return record | {"model": record["model"] | {"license": told}}


def dump(record: Record) -> str:
    """The text of record.json."""
    return printable(json.dumps(finite(record), indent=2, ensure_ascii=False) + "\n")
