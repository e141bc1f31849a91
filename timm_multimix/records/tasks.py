"""The tasks of training, each declared once: loss, metrics and names elsewhere.

A run's task follows from the type of its labels, or is set by `--task`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .metrics import METRICS, Metric


@dataclass(frozen=True)
class Task:
    """A task of training."""

    criterion: str  # that of MixTask
    loss: str  # the criterion in words
    scores: tuple[str, ...]  # the metrics of an evaluation, in `METRICS`; the first tells the best epoch
    title: str  # of a model, on its card
    hub: str  # the Hub's name for the task
    pipeline: str | None  # the Hub's pipeline, where it has one
    problem_type: str | None = None  # what transformers calls it, in a model's config.json

    @property
    def metric(self) -> Metric:
        """The metric that selects the best epoch."""
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
"""Tasks by the values of `--task`."""


def task_of_config(config: Mapping[str, Any]) -> Task:
    """Return the task of a model, from its config.json."""
    found = (task for task in TASKS.values() if task.problem_type == config.get("problem_type"))
    return next(found, TASKS[CLASSIFICATION])
