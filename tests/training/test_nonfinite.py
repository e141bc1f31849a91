"""A loss that is not finite ends a run with a state to inspect, or is skipped, on all processes."""

import csv
import importlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from timm_multimix.errors import UsageError
from timm_multimix.task import MixTask
from timm_multimix.training import engine
from timm_multimix.training.nonfinite import KeptBuffers, poison, zero_nonfinite

from .helpers import Train, launch, outcome, updates_kept

BAD_STEP = 7  # the third of the second epoch's five


def spoil(monkeypatch: pytest.MonkeyPatch, steps: set[int], value: float = math.nan) -> None:
    """Replace the loss of some training steps by another value, with its gradient."""
    original = MixTask.forward

    def forward(self: MixTask, *batch: Any) -> Any:
        bad, outputs = self.training and self.step in steps, original(self, *batch)
        return {**outputs, "loss": outputs["loss"] * value} if bad else outputs

    monkeypatch.setattr(MixTask, "forward", forward)


def rows_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").open()))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_state_before_the_step_is_kept(
    value: float, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*quick, "--mix", "mixup", "--checkpoint-interval", 2, "--seed", 3]
    with monkeypatch.context() as patch:
        spoil(patch, {BAD_STEP}, value)
        said = r"step 7 \(epoch 2, batch 3 of 5\); .* in run/nonfinite; .*--skip-nonfinite"
        with pytest.raises(UsageError, match=said) as caught:
            train(*options, "--output", "run")
    assert "\n" not in str(caught.value)
    kept = tmp_path / "run/nonfinite"
    report = json.loads((kept / "report.json").read_text())
    assert {"epoch": 2, "batch": 3, "training_step": 7, "seed": 3, "mixer": "mixup"}.items() <= report.items()
    assert report["weights_are_after_updates"] == BAD_STEP
    assert "step-00000006 --output NEW" in report["to_see_it_again"]
    mine = json.loads((kept / "rank-00000.json").read_text())
    assert not math.isfinite(float(mine["loss"]))

    train(*options, "--checkpoint-interval", 1, "--output", "whole", "--epochs", 2)
    assert updates_kept(tmp_path / "run") == 6  # the last one before
    batch = load_file(kept / "rank-00000.safetensors")
    assert [Path(name).exists() for name in mine["images"]] == [True] * 8
    labels = [int(Path(name).parent.name[-1]) for name in mine["images"]]
    assert batch["labels"].tolist() == labels
    assert batch["images"].shape == (8, 3, 32, 32)
    weights = load_file(kept / "weights.safetensors")
    assert all(value.isfinite().all() for value in weights.values())

    # the weights are those after 7 updates: a run that is stopped there has the same
    train("--resume", tmp_path / "run/checkpoints/step-00000006", "--output", "again")
    assert outcome(tmp_path / "again")["rows"] == outcome(tmp_path / "whole")["rows"]


def test_the_report_names_the_mixer_of_the_schedule(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {BAD_STEP})
    with pytest.raises(UsageError):
        train(*quick, "--mix", "mixup", "--mix-schedule", "0.8-1", "--output", "run")
    assert json.loads((tmp_path / "run/nonfinite/report.json").read_text())["mixer"] == "none"


def test_the_kept_weights_are_those_of_the_update_before(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*quick, "--checkpoint-interval", 1]
    with monkeypatch.context() as patch:
        spoil(patch, {BAD_STEP})
        with pytest.raises(UsageError):
            train(*options, "--output", "run")
    assert updates_kept(tmp_path / "run") == BAD_STEP
    checkpoint = load_file(tmp_path / "run/checkpoints/step-00000007/weights.safetensors")
    kept = load_file(tmp_path / "run/nonfinite/weights.safetensors")
    parameters = [name for name in kept if name.endswith(("weight", "bias"))]
    assert all(torch.equal(kept[name], checkpoint[f"raw.{name}"]) for name in parameters)


def test_a_gradient_that_is_not_finite_spoils_no_checkpoint(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the epoch's last step is fine; the weights after it are not."""
    original = Accelerator.backward

    def backward(self: Accelerator, loss: torch.Tensor, **more: Any) -> None:
        original(self, loss * calls_until_nan.pop(0), **more)

    calls_until_nan = [1.0] * 9 + [math.nan]
    monkeypatch.setattr(Accelerator, "backward", backward)
    with pytest.raises(UsageError, match=r"not finite at training step 9"):
        train(*quick, "--output", "run")
    assert updates_kept(tmp_path / "run") == 5


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_skipping_leaves_weights_and_statistics_finite(
    value: float, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {2, 3, BAD_STEP}, value)
    train(*quick, "--skip-nonfinite", 2, "--clip-grad", 1, "--output", "run")
    assert [row["skipped_updates"] for row in rows_of(tmp_path / "run")] == ["2", "1"]
    assert all(math.isfinite(float(row["train_loss"])) for row in rows_of(tmp_path / "run"))
    weights = load_file(tmp_path / "run/model/model.safetensors")
    assert all(value.isfinite().all() for value in weights.values())


def test_skipping_is_an_update_without_a_gradient(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [*quick, "--epochs", 1, "--opt", "momentum", "--momentum", 0, "--weight-decay", 0]
    options = [*plain, "--model", "test_vit", "--sched", "none", "--skip-nonfinite", 5]
    for name, value in (("zero", 0.0), ("nan", math.nan)):
        with monkeypatch.context() as patch:
            spoil(patch, {1, 4}, value)
            train(*options, "--output", name)
    zero, skipped = (load_file(tmp_path / name / "model/model.safetensors") for name in ("zero", "nan"))
    assert all(torch.equal(zero[name], skipped[name]) for name in zero)


def test_skipping_has_a_bound(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {1, 6, 7, 8, 9})
    with pytest.raises(UsageError, match="not finite at training step 8"):
        train(*quick, "--skip-nonfinite", 2, "--output", "run")
    assert updates_kept(tmp_path / "run") == 5


def test_skipping_where_nothing_is_wrong_changes_nothing(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    for name, bound in (("with", 3), ("without", 0)):
        train(*quick, "--skip-nonfinite", bound, "--output", name)
    ends = [outcome(tmp_path / name) for name in ("with", "without")]
    for end in ends:
        del end["config.json"]  # it says which options were given
    assert ends[0] == ends[1]


def test_counts_of_skipped_updates_survive_a_resume(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {1})
    train(*quick, "--skip-nonfinite", 1, "--epochs", 1, "--checkpoint-interval", 3, "--output", "run")
    train("--resume", tmp_path / "run/checkpoints/step-00000003", "--output", "again")
    assert outcome(tmp_path / "again") == outcome(tmp_path / "run")
    assert rows_of(tmp_path / "again")[0]["skipped_updates"] == "1"


def test_gradients_that_overflow_under_a_scaler_are_counted(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real scaler on the CPU, whose first scales are beyond float32."""

    def accelerator(*arguments: Any, **options: Any) -> Accelerator:
        made = Accelerator(*arguments, **options)
        made.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=10**6)
        return made

    monkeypatch.setattr(engine, "Accelerator", accelerator)
    spoil(monkeypatch, set(range(100)), 64.0)  # larger gradients
    train(*quick, "--epochs", 3, "--clip-grad", 1, "--output", "run")
    skipped = [int(row["skipped_updates"]) for row in rows_of(tmp_path / "run")]
    assert skipped[0] > 0
    assert skipped[-1] == 0
    weights = load_file(tmp_path / "run/model/model.safetensors")
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_bad_element_zeroes_all_gradients(bad: float) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2).requires_grad_(False))
    for parameter in model[:2].parameters():
        parameter.grad = torch.full_like(parameter, 1e30)
    assert not zero_nonfinite([*model.parameters()])
    assert all((parameter.grad == 1e30).all() for parameter in model[:2].parameters())
    assert model[1].bias.grad is not None
    model[1].bias.grad[1] = bad
    assert zero_nonfinite([*model.parameters()])
    assert all((parameter.grad == 0).all() for parameter in model[:2].parameters())


def test_a_bad_loss_poisons_the_gradient_and_a_good_one_is_itself() -> None:
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = poison((weight * 0.1).sum())
    assert loss == (weight * 0.1).sum()
    loss.backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.tensor([0.1, 0.1]))
    poison(weight.sum() + math.inf).backward()  # a constant, whose own gradient is fine
    assert weight.grad.isnan().all()


def test_batch_statistics_of_a_bad_batch_are_put_back() -> None:
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(4, 2))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    for value, same in ((math.nan, True), (1.0, False)):
        kept = KeptBuffers(norm)
        norm(torch.full((4, 2), value))
        kept.restore(torch.tensor(value))
        now = norm.state_dict()
        assert torch.equal(now["running_mean"], before["running_mean"]) == same
        assert now["running_mean"].isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("bound", [0, 3])
def test_two_processes_decide_alike(bound: int, quick: list[str], pictures: Path, tmp_path: Path) -> None:
    """The loss is bad on the second process only."""
    program = tmp_path / "spoiled.py"
    program.write_text(
        "import os, sys, math\n"
        "from timm_multimix.cli import main\n"
        "from timm_multimix.task import MixTask\n"
        "original = MixTask.forward\n"
        "def forward(self, *batch):\n"
        "    bad = self.training and self.step in (1, 3) and os.environ['RANK'] == '1'\n"
        "    outputs = original(self, *batch)\n"
        "    return {**outputs, 'loss': outputs['loss'] * math.nan} if bad else outputs\n"
        "MixTask.forward = forward\n"
        "sys.exit(main(['train', *sys.argv[1:]]))\n"
    )
    options = [*quick, "--skip-nonfinite", bound, "--output", "run"]
    done = launch(*options, processes=2, cwd=tmp_path, program=(str(program),))
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    if bound:
        assert done.returncode == 0, done.stderr
        assert [row["skipped_updates"] for row in rows_of(tmp_path / "run")] == ["1", "1"]
        assert json.loads((tmp_path / "run/summary.json").read_text())["parameters_equal_on_ranks"]
    else:
        assert done.returncode != 0
        assert len(errors) == 1, done.stderr
        assert "not finite at training step 1 (epoch 1, batch 2 of 2)" in errors[0]
        assert "Traceback" not in done.stderr.split("error:")[0]
        losses = [
            float(json.loads((tmp_path / f"run/nonfinite/rank-0000{rank}.json").read_text())["loss"])
            for rank in range(2)
        ]
        assert losses[0] == 0.0  # none was bad
        assert math.isnan(losses[1])


def test_a_bad_image_is_in_the_report(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val"):
        for label in ("a", "b"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (8, 8)).save(tmp_path / "data" / split / label / f"{number}.png")
    spoil(monkeypatch, {0})
    importlib.import_module("timm_multimix.training.run")
    with pytest.raises(UsageError, match="epoch 1, batch 1 of 1"):
        train("--dataset", "data", "--img-size", 32, "--workers", 0, "--output", "run")
    report = json.loads((tmp_path / "run/nonfinite/report.json").read_text())
    assert "--config run/config.yaml" in report["to_see_it_again"]
    names = json.loads((tmp_path / "run/nonfinite/rank-00000.json").read_text())["images"]
    assert sorted(names) == [f"data/train/{label}/{number}.png" for label in "ab" for number in range(2)]
