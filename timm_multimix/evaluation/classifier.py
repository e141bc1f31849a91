"""Models to evaluate, from a run, a directory, the Hub or timm, as functions of pixels in [0, 1]."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..modeling.create import attempt, check_model_name, resolve_data_config
from ..modeling.pretrained import check_pretrained
from ..options.model import WITH_WEIGHTS, InputOptions
from ..records.reader import run_directory
from ..records.tasks import CLASSIFICATION, TASKS, Task, task_of_config
from ..sites.frozen_norm import recorded_inputs
from ..sites.probe import classifiers
from ..sites.student import as_logits


class Classifier(nn.Module):
    """A model in eval mode that takes pixels [b, c, h, w] in [0, 1] and normalises them itself.

    Pixels of value v / 255 give bitwise the same logits as the trainer's evaluation of the same image.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        data_config: dict[str, Any],
        label_names: list[str] | None,
        is_random: bool = False,
        task: Task = TASKS[CLASSIFICATION],
    ) -> None:
        super().__init__()
        self.model, self.data_config, self.label_names = model, data_config, label_names
        self.is_random, self.task = is_random, task
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(data_config[name])[:, None, None])
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits [b, classes]."""
        return as_logits(self.model(pixels.sub(self.mean).div(self.std)))

    def embed(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits and the input of the last layer [b, d]; None if the model has no separate classifier.

        The inputs of several classifiers are concatenated; inputs with positions are averaged over them.
        """
        heads = [head for head in classifiers(self.model) if not isinstance(head, nn.Identity)]
        with recorded_inputs(heads) as calls:
            logits = self(pixels)
        found: dict[nn.Module, Tensor] = {}
        for head, features in calls:
            found.setdefault(head, as_rows(features))
        return logits, torch.cat([found[head] for head in heads if head in found], 1) if found else None


def as_rows(features: Tensor) -> Tensor:
    """Return features as [b, d]: the mean over tokens [b, t, d] or over positions [b, d, h, w]."""
    if features.dim() == 4:
        return features.mean((2, 3))
    return features.mean(1) if features.dim() == 3 else features


def load_classifier(
    model: str,
    count_classes: Callable[[], int],
    *,
    pretrained: bool = False,
    model_kwargs: Mapping[str, Any] | None = None,
    input: InputOptions | None = None,
    seed: int = 0,
) -> Classifier:
    """Load a model to evaluate.

    Args:
        model: a run's directory or a model's name, as `evaluate` takes it.
        count_classes: returns the size of the classifier for a timm model without weights.
        pretrained: whether a timm model gets its published weights; the models of runs, directories and the
            Hub always have theirs.
        model_kwargs: other arguments of the model.
        input: settings of the input that differ from the model's own.
        seed: seed of random weights.

    Raises:
        UsageError: there is no such model or it cannot be loaded.
    """
    run, input = run_directory(model), input or InputOptions()
    _check_kwargs(run, model_kwargs)
    name = f"local-dir:{run}/model" if run else model
    check_model_name(name)
    pretrained = pretrained or name.startswith(WITH_WEIGHTS)
    config = attempt(f"model {name}", lambda: check_pretrained(name)) if pretrained else {}
    wanted = {"img_size": input.img_size}
    torch.manual_seed(seed)

    def create() -> Any:
        arguments = timm.models.resolve_model_input_args(name, wanted, **(model_kwargs or {}))
        return timm.create_model(
            pretrained=pretrained, num_classes=None if pretrained else count_classes(), **arguments
        )

    network: nn.Module = attempt(f"model {name}", create)
    names: Any = getattr(network, "pretrained_cfg", {}).get("label_names") if pretrained else None
    data_config = resolve_data_config(model, input, network)
    label_names = [str(label) for label in names] if names else None
    task = task_of_config(config)
    classifier = Classifier(network, data_config, label_names, is_random=not pretrained, task=task)
    attempt(f"input of {name}", lambda: classifier(torch.zeros(1, *data_config["input_size"])))
    return classifier


def _check_kwargs(run: Path | None, model_kwargs: Mapping[str, Any] | None) -> None:
    """Check that a run's network, which is trained, is not changed; raises UsageError."""
    if run and model_kwargs:
        raise UsageError(f"--model-kwargs must be left out for a run, whose network is trained, got {run}")
