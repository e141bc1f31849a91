"""The start of a run: precision and accumulation as recorded, and one run per directory."""

import re
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from accelerate.state import AcceleratorState
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix import cli
from timm_multimix.errors import UsageError
from timm_multimix.options import fill_defaults, parse_train_options
from timm_multimix.training.checks import check_classes
from timm_multimix.training.norms import check_lone_images, find_lone_norm
from timm_multimix.training.opening import unseen_pixels
from timm_multimix.training.optimization import create_scheduler

from .helpers import Train, command, launch, outcome, updates_kept

STEPS = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"


@pytest.mark.parametrize("steps", [2, 4])
def test_accumulation_of_the_environment_is_that_of_the_option(
    steps: int, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(*quick, "--output", "told", "--grad-accum-steps", steps)
    monkeypatch.setenv(STEPS, str(steps))
    train(*quick, "--output", "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "told")
    assert f"grad_accum_steps: {steps}\n" in (tmp_path / "run/config.yaml").read_text()
    (tmp_path / "run/summary.json").unlink()
    monkeypatch.delenv(STEPS)
    train("--output", "run", "--resume", "auto")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "told")


def test_accumulation_said_twice_must_be_the_same(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STEPS, "4")
    with pytest.raises(UsageError, match=f"--grad-accum-steps 2, but accelerate .*4 .{STEPS}"):
        train(*quick, "--grad-accum-steps", 2)
    assert train(*quick, "--epochs", 1, "--grad-accum-steps", 4, "--output", "run")["grad_accum_steps"] == 4
    (tmp_path / "run/summary.json").unlink()
    monkeypatch.setenv(STEPS, "2")
    with pytest.raises(UsageError, match="--grad-accum-steps 2: the run to resume in run has 4"):
        train("--output", "run", "--resume", "auto")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "ACCELERATE_MIXED_PRECISION",
            "fp16",
            "fp16: on cpu training would compute in float32",
        ),
        ("ACCELERATE_DYNAMO_BACKEND", "inductor", "give --torchcompile inductor"),
        (STEPS, "0", "must be at least 1, got 0"),
        (STEPS, "many", "accelerate: "),
    ],
)
def test_settings_that_would_be_ignored_are_refused(
    name: str,
    value: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    AcceleratorState._reset_state(reset_partial_state=True)  # it reads them once in a process
    try:
        assert cli.main(["train", "--epochs", "1", "--output", "run"]) == 2
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_choices_are_printed_and_recorded(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train(*quick, "--epochs", 1, "--grad-accum-steps", 2, "--opt", "adamw", "--output", "run")
    lines = capsys.readouterr().out.splitlines()
    assert "device: cpu, 1 process, float32; batch 8 x 1 process x 2 steps = 16 images per update" in lines
    told = "optimizer: adamw, learning rate 0.05, schedule cosine over 1 epoch of 3 updates"
    assert f"{told}, the first 0.1 of warm-up" in lines
    assert "output: run" in lines
    names = ("mixed_precision", "batch_size", "grad_accum_steps", "effective_batch_size", "optimizer", "lr")
    assert [summary[name] for name in names] == ["no", 8, 2, 16, "adamw", 0.05]
    assert summary["schedule"] == "cosine"


def test_batches_larger_than_the_data_are_a_warning(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--batch-size", 1000, "--grad-accum-steps", 3, "--output", "run"]
    summary = train(*quick, "--epochs", 1, *options)
    assert capsys.readouterr().err.splitlines() == [
        "warning: --batch-size 1000: the 44 training images are fewer than a batch, "
        "so every epoch is one batch of 44",
        "warning: --grad-accum-steps 3: an epoch has 1 batch, so every epoch is one update",
    ]
    assert (summary["batch_size"], summary["effective_batch_size"]) == (44, 44)


def test_images_that_are_no_whole_number_of_patches(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=30, depth=1)
    assert unseen_pixels(model, (30, 48)) == [14, 0]
    assert unseen_pixels(timm.create_model("test_resnet"), (30, 30)) == []


def test_batches_of_one_image_are_refused(train: Train, quick: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--batch-size 1: .*bn.* of test_resnet.*--batch-size 2 or more"):
        train(*quick, "--batch-size", 1)
    assert not list(tmp_path.iterdir())
    assert (
        train(*quick, "--epochs", 1, "--batch-size", 1, "--model", "test_vit", "--output", "a")["epochs"] == 1
    )


def test_a_last_batch_of_one_is_left_out(train: Train, quick: list[str], tmp_path: Path) -> None:
    """44 images in batches of 43; a resumed run is bitwise the same."""
    options = [*quick, "--batch-size", 43, "--mix", "mixup"]
    train(*options, "--output", "whole")
    train("--resume", min((tmp_path / "whole/checkpoints").glob("step-*")), "--output", "again")
    assert outcome(tmp_path / "again") == outcome(tmp_path / "whole")
    assert (tmp_path / "whole/metrics.csv").read_text().splitlines()[1].split(",")[7] == "1"  # update


def test_the_only_batch_of_one() -> None:
    """3 images for 2 processes: one for each, as the remainder is left out."""
    train: Any = SimpleNamespace(batch_size=1, dataset=range(3))
    model = timm.create_model("test_resnet")
    about: Any = {"batch_size": 8, "frozen_body": False, "processes": 2}
    with pytest.raises(UsageError, match=r"only batch .* has 1 image, as 3 .* to 2 processes: layer4.*bn"):
        check_lone_images(model, "test_resnet", (3, 32, 32), train, **about)
    train.batch_size = 2
    check_lone_images(model, "test_resnet", (3, 32, 32), train, **about)


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [("test_resnet", 32, True), ("test_resnet", 160, False), ("test_vit", 32, False)],
)
def test_only_a_norm_with_one_value_is_in_the_way(name: str, size: int, found: bool) -> None:
    model = timm.create_model(name, **({"img_size": size} if "vit" in name else {}))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert (find_lone_norm(model, (3, size, size)) is not None) == found
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    try:
        model(torch.randn(1, 3, size, size))
        assert not found
    except ValueError:
        assert found


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    sched=st.sampled_from(
        ["cosine", "tanh", "step", "multistep", "poly", "wsd", "rsqrt", "constant", "none"]
    ),
    epochs=st.integers(1, 90),
    updates=st.integers(1, 200),
    cooldown=st.integers(0, 3),
    warmup=st.sampled_from([None, "0", "0.3"]),
)
def test_epochs_are_whole_numbers(
    sched: str, epochs: int, updates: int, cooldown: int, warmup: str | None
) -> None:
    words = ["--sched", sched, "--epochs", str(epochs), "--cooldown-epochs", str(cooldown)]
    options = fill_defaults(
        parse_train_options([*words, *(["--warmup-epochs", warmup] if warmup else [])]), {}
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    try:
        scheduler, found = create_scheduler(options.schedule, epochs, optimizer, updates)
    except UsageError:  # wsd needs a whole update of decay, rsqrt one of warm-up
        assert sched in ("wsd", "rsqrt")
        assert updates * epochs < 10 or (sched == "rsqrt" and warmup == "0")
        return
    assert isinstance(found, int)
    assert found == epochs + (cooldown if hasattr(scheduler, "get_cycle_length") else 0)


def test_wsd_takes_a_schedule_of_mixing_and_says_whole_epochs(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train(*quick, "--sched", "wsd", "--mix", "mixup", "--mix-schedule", "0-0.5", "--output", "run")
    assert summary["epochs"] == 2
    assert isinstance(summary["epochs"], int)
    assert "epoch 2/2:" in capsys.readouterr().out


def test_class_names_outside_utf_8_are_refused() -> None:
    class Names:
        class_names = ("a", "caf\udce9")

    with pytest.raises(UsageError, match=r"the class name 'caf\\\\udce9' is not UTF-8"):
        check_classes(None, "photos", Names())  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("more", [["--resume", "auto"], ["--overwrite"]])
def test_a_second_run_into_the_same_directory_is_refused(
    processes: int, more: list[str], quick: list[str], tmp_path: Path
) -> None:
    """In one line, at once, while the first trains; when that is killed, the next one resumes it."""
    options = [*quick, "--epochs", 300, "--checkpoint-interval", 1, "--output", "run"]
    words, environment = command(*options, processes=processes)
    first = subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        while updates_kept(tmp_path / "run") < 2:
            assert first.poll() is None
            time.sleep(0.02)
        second = launch(*options, *more, cwd=tmp_path)
        assert second.returncode == 2
        assert re.fullmatch(
            r"error: another process \(\d+ on .*\) is at work in run; wait for it .*\n", second.stderr
        )
        assert first.poll() is None
        kept = updates_kept(tmp_path / "run")
        while updates_kept(tmp_path / "run") == kept:
            assert first.poll() is None
            time.sleep(0.02)
    finally:
        first.send_signal(signal.SIGTERM if processes > 1 else signal.SIGKILL)
        first.wait()
    go_on = ["--resume", "auto", "--output", "run"]
    words, environment = command(*go_on, processes=processes)
    third = subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert third.stdout is not None
    assert any(line.startswith("epoch ") for line in third.stdout)
    third.terminate()
    third.communicate()
