"""The metadata at the top of a card, in the Hub's format."""

from typing import Any

import timm
from huggingface_hub import EvalResult, ModelCardData

import timm_multimix.models  # noqa: F401  so that its networks are known as its own

from ..dataset_names import HubName, is_hub_id
from ..evaluation.sections import all_numbers
from ..markdown import one_line
from ..records.evaluation_tables import is_number
from ..records.metrics import Metric
from ..records.tasks import CLASSIFICATION, TASKS, Task
from .methods import methods
from .record import Record, task_of


def make_metadata(record: Record, repo_id: str) -> ModelCardData:
    """library_name, tags, data, base model and results; a licence only where one was chosen."""
    summary, task = record["summary"], task_of(record["summary"])
    names = [method.name for method in methods(summary["mix"])]
    base = summary["base_model"]
    hub = hub_name(summary["dataset"], summary["dataset_kind"])
    return ModelCardData(
        library_name="timm",
        pipeline_tag=task.pipeline,
        tags=[task.hub, "timm", *_transformers(record), "timm_multimix", *names],
        datasets=[hub.repo_id] if hub else None,
        base_model=base if base and is_hub_id(base) else None,
        license=record["model"]["license"],
        metrics=[str(task.metric.hub)],
        model_name=repo_id.split("/")[1],
        eval_results=make_results(record) or None,
    )


def hub_name(dataset: str, kind: str) -> HubName | None:
    """The parts of the name of a dataset of the Hub."""
    return HubName.parse(dataset) if kind == "hub" else None


def _transformers(record: Record) -> list[str]:
    """Return the tag of transformers if its pipeline, which converts images to three channels, works."""
    model = record["model"]
    works = (
        task_of(record["summary"]).pipeline
        and model["input"]["input_size"][0] == 3
        and not is_own(model["architecture"])
    )
    return ["transformers"] if works else []


def is_own(architecture: str) -> bool:
    """Whether timm knows an architecture by this package only."""
    if not timm.is_model(architecture):
        return False
    return timm.models.model_entrypoint(architecture).__module__.split(".")[0] == "timm_multimix"


def make_results(record: Record) -> list[EvalResult]:
    """The accuracy of the published weights and what an evaluation found, as plain numbers.

    What is not finite is left out, and so are metrics that the Hub has no name for.
    """
    summary = record["summary"]
    mine = summary["dataset"], summary["dataset_kind"], summary["evaluation_split"]
    task = task_of(summary)
    found = {(task.metric, mine): record["published"][task.scores[0]]}
    for evaluation in record.get("evaluations", ()):
        data = evaluation["data"]["dataset"], evaluation["data"]["kind"], evaluation["data"]["split"]
        for number in all_numbers(evaluation):
            if number.is_overall:
                found.setdefault((number.metric, data), number.value)
    return [
        make_result(metric, describe_dataset(dataset, kind), one_line(split), value, task)
        for (metric, (dataset, kind, split)), value in found.items()
        if metric.hub and is_number(value)
    ]


def describe_dataset(dataset: str, kind: str) -> dict[str, str]:
    """Describe a dataset in the Hub's format, with configuration and revision for one on the Hub."""
    text, hub = one_line(dataset), hub_name(dataset, kind)
    if hub is None:
        return {"dataset_type": text, "dataset_name": text}
    named = {"dataset_config": hub.configuration, "dataset_revision": hub.revision}
    about = {"dataset_type": hub.repo_id, "dataset_name": text}
    return about | {name: value for name, value in named.items() if value is not None}


def make_result(
    metric: Metric, dataset: dict[str, str], split: str, value: float, task: Task = TASKS[CLASSIFICATION]
) -> EvalResult:
    """Return one number in the Hub's format."""
    about: dict[str, Any] = {"task_type": task.hub, "task_name": task.hub.replace("-", " ").title()}
    about |= dataset | {"dataset_split": split}
    about |= {"metric_type": metric.hub, "metric_name": metric.full_name.capitalize()}
    return EvalResult(**about, metric_value=round(metric.fraction(float(value)), 6))
