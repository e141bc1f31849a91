"""Functions that older versions of timm lack are provided here, or refused in one line."""

import pytest
import timm
import torch

from tests.task.tasks import images, model
from timm_multimix import MixTask
from timm_multimix._compat import timm as compat
from timm_multimix.errors import UsageError
from timm_multimix.modeling.create import check_model_name


class OlderTask(compat._AveragingTask):
    """A task of a version without moving averages, with its model in `trainable_module`."""

    def __init__(self) -> None:
        super().__init__()
        self.trainable_module = model()


def test_the_average_of_older_versions_is_that_of_newer_ones() -> None:
    older, newer = OlderTask(), MixTask(model(), "none")
    assert not older.has_ema()
    assert older.get_trainable_module(ema=True) is None
    for task in (older, newer):
        average = task.setup_ema(decay=0.5)
        for step in (0, 1):
            with torch.no_grad():
                next(iter(task.get_clip_parameters())).add_(1.0)
            task.update_ema(step)
        assert task.has_ema()
        assert task.get_eval_model(ema=True) is average
        assert task.get_eval_model() is task.get_trainable_module()
    assert len(older.get_clip_parameters(exclude_head=True)) == len(older.get_clip_parameters()) - 2
    outputs = [task.trainable_module_ema.module.eval()(images()) for task in (older, newer)]
    torch.testing.assert_close(*outputs)


def test_commands_need_a_timm_that_makes_models_for_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(timm.models, "resolve_model_input_args", raising=False)
    with pytest.raises(UsageError, match=r"training and evaluation need timm 1\.0\.31 or newer, got \d"):
        check_model_name("test_resnet")
