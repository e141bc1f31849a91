"""The record of a run for its card, as JSON, redacted for publication."""

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError, printable
from ..files import finite, read_json
from ..options import options_to_dict
from ..records.evaluations import read_evaluations
from ..records.publication import public_evaluation, public_options, public_summary
from ..records.reader import read_metrics, read_options
from ..records.reader import read_run as read_finished
from ..records.tasks import CLASSIFICATION, TASKS, Task

Record = dict[str, Any]


def read_run(run: Path) -> tuple[Record, Path]:
    """The record of a finished run and the directory of its model.

    Raises: UsageError if a directory holds no finished run, or one with a damaged file.
    """
    found = read_finished(run)
    record = make_record(run, found.model, found.record.to_dict(), found.record.epochs, found.record.result)
    return record, found.model


def make_record(run: Path, model: Path, summary: dict[str, Any], epoch: int, result: float) -> Record:
    """The record of a run whose weights in the directory `model` are those of an epoch.

    Raises: UsageError if a file is damaged.
    """
    config = read_model_config(model)
    options = options_to_dict(read_options(run))
    kind, metric = summary["dataset_kind"], task_of(summary).scores[0]
    evaluations = read_evaluations(run, model)
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
        "published": {"epoch": epoch, "weights": summary["exported_weights"], metric: result},
    }
    return record | ({"evaluations": list(map(public_evaluation, evaluations))} if evaluations else {})


def task_of(summary: dict[str, Any]) -> Task:
    """Return the task of a run's model."""
    return TASKS[summary.get("task") or CLASSIFICATION]


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


def with_license(record: Record, license: Any) -> Record:
    """Return a record with the final licence: the run's, or the one chosen on the Hub."""
    told = ", ".join(map(str, license)) if isinstance(license, list) else license
    return record | {"model": record["model"] | {"license": told}}


def dump(record: Record) -> str:
    """The text of record.json."""
    return printable(json.dumps(finite(record), indent=2, ensure_ascii=False) + "\n")
