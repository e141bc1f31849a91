"""The output of a run: at its start, on a pipe, in train.log and to trackers; its bar fits the terminal."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from timm_multimix.errors import UsageError
from timm_multimix.options import parse_train_options
from timm_multimix.options.mixing import MixingOptions
from timm_multimix.records.tasks import CLASSIFICATION, REGRESSION
from timm_multimix.training.engine import name_in_trackers
from timm_multimix.training.loop import gradient_norm
from timm_multimix.training.opening import describe_mixing
from timm_multimix.training.progress import fitting

from .helpers import Train


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """The values that the tracker of a run was given, by name and update."""
    found: dict[str, dict[int, float]] = {}
    for file in (run / "logs").glob("**/events.*"):
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, {}).update({event.step: event.value for event in events.Scalars(tag)})
    return found


def test_a_run_on_a_pipe(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--log-interval", 2, "--log-with", "tensorboard", "--mix", "mixup"]
    train(*quick, *options, "--output", "run")
    out = capsys.readouterr().out.splitlines()
    assert any(
        re.match(r"model: test_resnet, [\d,]+ parameters, random weights, input 3 x 32 x 32$", x) for x in out
    )
    assert "mixing: mixup, cross-entropy" in out
    lines = [line.split(":")[0] for line in out if line.startswith("epoch")]
    assert lines == [
        "epoch 1/2, batch 2/5",
        "epoch 1/2, batch 4/5",
        "epoch 1/2",
        "epoch 2/2, batch 2/5",
        "epoch 2/2, batch 4/5",
        "epoch 2/2",
    ]
    kept = (tmp_path / "run/train.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in kept if "warning" not in line] == out  # after the time


def test_trackers_have_rate_step_and_gradient(train: Train, quick: list[str], tmp_path: Path) -> None:
    """At batches 2 and 4 of each epoch of 5 updates; SGD's first step is the gradient itself."""
    options = ["--log-with", "tensorboard", "--sched", "none", "--lr", 0.01, "--weight-decay", 0]
    train(*quick, "--log-interval", 2, *options, "--output", "run")
    found = scalars(tmp_path / "run")
    steps = {2, 4, 7, 9}
    for name in ("train/loss", "train/step_loss", "train/lr", "train/gradient_norm"):
        assert set(found[name]) == steps
        assert all(value > 0 for value in found[name].values())
    assert found["train/lr"][7] == pytest.approx(0.01)
    assert found["train/step_loss"][4] != found["train/loss"][4]


def test_norms_are_of_whole_updates(train: Train, quick: list[str], tmp_path: Path) -> None:
    """Batches 3 and 5 end updates, the second and third of an epoch in which every batch is due."""
    options = ["--log-with", "tensorboard", "--grad-accum-steps", 2, "--log-interval", 1, "--epochs", 1]
    train(*quick, *options, "--output", "run")
    assert set(scalars(tmp_path / "run")["train/gradient_norm"]) == {1, 2, 3}


def test_the_norm_is_that_of_all_gradients_before_clipping() -> None:
    model = torch.nn.Linear(3, 2)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    setup: Any = SimpleNamespace(
        model=model,
        accelerator=SimpleNamespace(scaler=None, unscale_gradients=lambda: None),
    )
    norm = gradient_norm(setup)
    assert norm is not None
    assert norm.item() == pytest.approx((8 * 4) ** 0.5)


def test_a_resumed_run_appends_to_its_log(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", "run")
    before = (tmp_path / "run/train.log").read_text()
    (tmp_path / "run/summary.json").unlink()
    train("--output", "run", "--resume", "auto")
    after = (tmp_path / "run/train.log").read_text()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_the_error_that_ended_a_run_is_in_its_log(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="not finite"):
        train(*quick, "--lr", 1e30, "--output", "run")
    assert "error: " in (tmp_path / "run/train.log").read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("room", "text"), [(100, "loss 1, top1 2 %, 3 left"), (20, "loss 1, top1 2 %"), (10, "loss 1"), (3, "")]
)
def test_a_bar_leaves_out_what_does_not_fit(room: int, text: str) -> None:
    assert fitting(["loss 1", "top1 2 %", "3 left"], room) == text


def test_the_printed_mixing_has_all_that_changes_targets() -> None:
    options = MixingOptions(
        mix="mixup", mix_schedule="0-0.9", smoothing=0.1, distill=0.5, bce_loss=True, distill_teacher="self"
    )
    assert describe_mixing(MixingOptions(), REGRESSION) == "mixing: none, squared error"
    assert describe_mixing(options, CLASSIFICATION) == (
        "mixing: mixup, scheduled 0-0.9, binary cross-entropy, label smoothing 0.1, "
        "0.5 of the targets by the teacher self"
    )


def test_projects_have_a_name(tmp_path: Path) -> None:
    options = parse_train_options(["--log-with", "wandb"]).run
    project, arguments = name_in_trackers(options, tmp_path / "run")
    assert project == "timm-multimix"
    assert arguments["wandb"] == {"name": "run", "tags": []}
    assert arguments["mlflow"] == {"run_name": "run"}
    chosen = parse_train_options(
        ["--log-with", "wandb", "--wandb-project", "mine", "--wandb-tags", "a", "b"]
    ).run
    project, arguments = name_in_trackers(chosen, tmp_path / "run")
    assert (project, arguments["wandb"]["tags"]) == ("mine", ["a", "b"])


def test_files_of_trackers_stay_in_logs(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--epochs", 1, "--log-with", "tensorboard", "--wandb-project", "mine", "--output", "run")
    assert [*(tmp_path / "run/logs").glob("events.*")]
    assert not (tmp_path / "run/mine").exists()
