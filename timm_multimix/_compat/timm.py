"""Private parts of timm, and features that some supported versions lack."""

from typing import TYPE_CHECKING, Any

import timm
import timm.data
from timm.models import _features, _hub
from timm.task import TrainingTask as TimmTask
from timm.utils import ModelEmaV3
from torch import nn

from ..errors import UsageError


def feature_take_indices(count: int, indices: Any) -> tuple[list[int], int]:
    """Return the layers that `indices` of timm's forward_intermediates select, and the last one.

    A model with that interface has to interpret them as timm's own models do.
    """
    return _features.feature_take_indices(count, indices)


def save_config_for_hf(*arguments: Any, **options: Any) -> None:
    """Write a model's config.json as timm does; timm's public function also writes the weights."""
    _hub.save_config_for_hf(*arguments, **options)


def check_commands() -> None:
    """Check that timm can create models for an input size and save their arguments, as the commands need.

    Raises:
        UsageError: before version 1.0.31.
    """
    if not hasattr(timm.models, "resolve_model_input_args"):
        raise UsageError(
            f"training and evaluation need timm 1.0.31 or newer, got {timm.__version__}; "
            "run `pip install -U timm` (MixTask and the mixers work with 1.0.24 and newer)"
        )


def resolve_input_data_config(model: nn.Module, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the requested preprocessing, else the model's."""
    check_commands()
    return timm.data.resolve_input_data_config(model, asked)


class _AveragingTask(TimmTask):
    """timm's task with what timm's own has from 1.0.27 on: a moving average of the model, and its parts."""

    trainable_module: Any

    def get_trainable_module(self, ema: bool = False) -> Any:
        return getattr(self, "trainable_module_ema", None) if ema else self.trainable_module

    def get_eval_model(self, module: Any = None, ema: bool = False) -> Any:
        compiled = getattr(self, "eval_model_ema" if ema else "eval_model", None)
        return next((each for each in (module, compiled) if each is not None), self.get_trainable_module(ema))

    def get_clip_parameters(self, exclude_head: bool = False) -> Any:
        parameters = list(self.get_trainable_module().parameters())
        return parameters[:-2] if exclude_head else parameters

    def setup_ema(self, *args: Any, **options: Any) -> Any:
        self.trainable_module_ema = ModelEmaV3(self.get_trainable_module(), *args, **options)
        return self.trainable_module_ema

    def has_ema(self) -> bool:
        return self.get_trainable_module(ema=True) is not None

    def update_ema(self, step: int | None = None) -> None:
        if self.has_ema():
            self.get_trainable_module(ema=True).update(self.get_trainable_module(), step=step)


if TYPE_CHECKING:
    TrainingTask = TimmTask
else:
    TrainingTask = TimmTask if hasattr(TimmTask, "setup_ema") else _AveragingTask
