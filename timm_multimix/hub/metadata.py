"""The metadata that heads a card, as the Hub reads it."""

import math
from typing import Any

import timm
from huggingface_hub import EvalResult, ModelCardData

import timm_multimix.models  # noqa: F401  so that its networks are known as its own

from ..data.hub import HubName, is_hub_id
from ..markdown import one_line
from .methods import methods
from .record import Record


def make_metadata(record: Record, repo_id: str) -> ModelCardData:
    """library_name, tags, data, base model and results; a licence only where one was chosen."""
    summary = record["summary"]
    names = [method.name for method in methods(summary["mix"])]
    base = summary["base_model"]
    hub = hub_name(summary["dataset"], summary["dataset_kind"])
    return ModelCardData(
        library_name="timm",
        pipeline_tag="image-classification",
        tags=["image-classification", "timm", *_transformers(record), "timm_multimix", *names],
        datasets=[hub.repo_id] if hub else None,
        base_model=base if base and is_hub_id(base) else None,
        license=record["model"]["license"],
        metrics=["accuracy"],
        model_name=repo_id.split("/")[1],
        eval_results=make_results(record) or None,
    )


def hub_name(dataset: str, kind: str) -> HubName | None:
    """The parts of the name of a dataset of the Hub."""
    return HubName.parse(dataset) if kind == "hub" else None


def _transformers(record: Record) -> list[str]:
    """The tag of transformers for what its pipeline can do, which makes three channels of every image."""
    model = record["model"]
    works = model["input"]["input_size"][0] == 3 and not is_own(model["architecture"])
    return ["transformers"] if works else []


def is_own(architecture: str) -> bool:
    """Whether timm knows an architecture by this package only."""
    if not timm.is_model(architecture):
        return False
    return timm.models.model_entrypoint(architecture).__module__.split(".")[0] == "timm_multimix"


def make_results(record: Record) -> list[EvalResult]:
    """The accuracy of the published weights and what an evaluation found, from 0 to 1, as plain numbers.

    What is not finite is left out.
    """
    summary, top1 = record["summary"], record["published"]["top1"]
    mine = summary["dataset"], summary["dataset_kind"], summary["evaluation_split"]
    found = [(ACCURACY, *mine, top1, 100)]
    evaluation = record.get("evaluation")
    if evaluation:
        data = evaluation["data"]["dataset"], evaluation["data"]["kind"], evaluation["data"]["split"]
        if data != mine:
            found.append((ACCURACY, *data, evaluation["accuracy"]["top1"], 100))
        found.append((CALIBRATION, *data, evaluation["calibration"]["ece"], 1))
    return [
        make_result(metric, describe_dataset(dataset, kind), one_line(split), float(value) / scale)
        for metric, dataset, kind, split, value, scale in found
        if value is not None and math.isfinite(value)
    ]


ACCURACY = ("accuracy", "Top-1 accuracy")
CALIBRATION = ("expected_calibration_error", "Expected calibration error")


def describe_dataset(dataset: str, kind: str) -> dict[str, str]:
    """A dataset as the Hub reads it, with the configuration and the revision of one that is there."""
    text, hub = one_line(dataset), hub_name(dataset, kind)
    if hub is None:
        return {"dataset_type": text, "dataset_name": text}
    named = {"dataset_config": hub.configuration, "dataset_revision": hub.revision}
    about = {"dataset_type": hub.repo_id, "dataset_name": text}
    return about | {name: value for name, value in named.items() if value is not None}


def make_result(metric: tuple[str, str], dataset: dict[str, str], split: str, value: float) -> EvalResult:
    """One number as the Hub reads it."""
    about: dict[str, Any] = {"task_type": "image-classification", "task_name": "Image Classification"}
    about |= dataset | {"dataset_split": split}
    about |= {"metric_type": metric[0], "metric_name": metric[1], "metric_value": round(value, 6)}
    return EvalResult(**about)
