"""What a model can be trained for, declared once: its loss, its metrics and what it is called elsewhere.

A run's task follows from the type of its labels, or is chosen by `--task`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .metrics import METRICS, Metric


@dataclass(frozen=True)
class Task:
    """What a model is trained for."""

    criterion: str  # that of MixTask
    loss: str  # the criterion in words
    scores: tuple[str, ...]  # the metrics of an evaluation, in `METRICS`; the first tells the best epoch
    title: str  # of a model, on its card
    hub: str  # the Hub's name for the task
    pipeline: str | None  # the Hub's pipeline, where it has one
    problem_type: str | None = None  # what transformers calls it, in a model's config.json

    @property
    def metric(self) -> Metric:
        """The metric that tells which epoch is the best."""
        return METRICS[self.scores[0]]


CLASSIFICATION, MULTI_LABEL, REGRESSION = "classification", "multi-label", "regression"

TASKS = {
    CLASSIFICATION: Task(
        "softmax",
        "cross-entropy",
        ("top1", "top5"),
        "An image classifier",
        "image-classification",
        "image-classification",
    ),
    MULTI_LABEL: Task(
        "sigmoid",
        "binary cross-entropy",
        ("map",),
        "A multi-label image classifier",
        "image-classification",
        "image-classification",
        "multi_label_classification",
    ),
    REGRESSION: Task(
        "mse", "squared error", ("mae",), "An image regression model", "image-regression", None, "regression"
    ),
}
"""By the values of `--task`."""


def task_of_config(config: Mapping[str, Any]) -> Task:
    """What a model was trained for, by its config.json."""
    found = (task for task in TASKS.values() if task.problem_type == config.get("problem_type"))
    return next(found, TASKS[CLASSIFICATION])
