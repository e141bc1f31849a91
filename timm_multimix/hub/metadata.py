"""The metadata that heads a card, as the Hub reads it."""

import math

from huggingface_hub import EvalResult, ModelCardData

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
        tags=["image-classification", "timm", "transformers", "timm_multimix", *names],
        datasets=[dataset] if kind == "hub" and is_hub_id(dataset) else None,
        base_model=base if base and is_hub_id(base) else None,
        license=record["model"]["license"],
        metrics=["accuracy"],
        model_name=repo_id.split("/")[1],
        eval_results=make_results(record) or None,
    )


def make_results(record: Record) -> list[EvalResult]:
    """The accuracy of the published weights, from 0 to 1, as a plain number; nothing if it is not finite."""
    summary = record["summary"]
    top1 = record["published"]["top1"]
    if top1 is None or not math.isfinite(top1):
        return []
    name = one_line(summary["dataset"])
    result = EvalResult(
        task_type="image-classification",
        task_name="Image Classification",
        dataset_type=name,
        dataset_name=name,
        dataset_split=one_line(summary["evaluation_split"]),
        metric_type="accuracy",
        metric_name="Top-1 accuracy",
        metric_value=round(float(top1) / 100, 6),
    )
    return [result]
