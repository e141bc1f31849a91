"""The metadata that heads a card, as the Hub reads it."""

import math
from typing import Any

import timm
from huggingface_hub import EvalResult, ModelCardData

import timm_multimix.models  # noqa: F401  so that its networks are known as its own
from timm_multimix.data.hub import is_hub_id

from .markup import one_line
from .methods import methods
from .record import Record


def make_metadata(record: Record, repo_id: str) -> ModelCardData:
    """library_name, tags, data, base model and results; a licence only where one was chosen."""
    summary = record["summary"]
    names = [method.name for method in methods(summary["mix"])]
    kind, dataset, base = summary["dataset_kind"], summary["dataset"], summary["base_model"]
    return ModelCardData(
        library_name="timm",
        pipeline_tag="image-classification",
        tags=["image-classification", "timm", *_transformers(record), "timm_multimix", *names],
        datasets=[dataset] if kind == "hub" and is_hub_id(dataset) else None,
        base_model=base if base and is_hub_id(base) else None,
        license=record["model"]["license"],
        metrics=["accuracy"],
        model_name=repo_id.split("/")[1],
        eval_results=make_results(record) or None,
    )


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
    found = [(ACCURACY, summary["dataset"], summary["evaluation_split"], top1, 100)]
    evaluation = record.get("evaluation")
    if evaluation:
        data = evaluation["data"]["dataset"], evaluation["data"]["split"]
        if data != (summary["dataset"], summary["evaluation_split"]):
            found.append((ACCURACY, *data, evaluation["accuracy"]["top1"], 100))
        found.append((CALIBRATION, *data, evaluation["calibration"]["ece"], 1))
    return [
        make_result(metric, one_line(dataset), one_line(split), float(value) / scale)
        for metric, dataset, split, value, scale in found
        if value is not None and math.isfinite(value)
    ]


ACCURACY = ("accuracy", "Top-1 accuracy")
CALIBRATION = ("expected_calibration_error", "Expected calibration error")


def make_result(metric: tuple[str, str], dataset: str, split: str, value: float) -> EvalResult:
    """One number as the Hub reads it."""
    about: dict[str, Any] = {"task_type": "image-classification", "task_name": "Image Classification"}
    about |= {"dataset_type": dataset, "dataset_name": dataset, "dataset_split": split}
    about |= {"metric_type": metric[0], "metric_name": metric[1], "metric_value": round(value, 6)}
    return EvalResult(**about)
