"""A finished run is continued by a new run that names its parent."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from timm_multimix.errors import UsageError
from timm_multimix.hub.record import read_run
from timm_multimix.options import TrainOptions
from timm_multimix.options.declaration import declared, flag, flat
from timm_multimix.records.reader import read_options
from timm_multimix.training.checkpoint import complete_checkpoints

from .helpers import Train, outcome

RUN = importlib.import_module("timm_multimix.training.run")  # the package's `run` is the function in it


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint / "weights.safetensors")


@pytest.mark.parametrize("opt", ["--momentum 0.9", "--opt adamw --lr 0.002 --model-ema --weight-decay 0.01"])
def test_a_new_run_starts_where_its_parent_ended(
    opt: str, train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same weights, average and optimizer state; epochs, schedule and record are its own."""
    first = train(*quick, *opt.split(), "--output", "old")
    before = outcome(tmp_path / "old")
    second = train("--resume", "old", "--epochs", 1, "--lr", 0.001, "--mix", "mixup", "--output", "new")
    assert "weights of old after 2 epochs" in capsys.readouterr().out
    assert outcome(tmp_path / "old") == before
    assert (second["epochs"], second["mix"], second["lr"]) == (1, "mixup", 0.001)
    parent = second["parent"]
    assert (parent["run"], parent["epochs"], parent["top1"]) == ("old", 2, first["top1"])
    assert len(parent["sha256"]) == 64
    assert len((tmp_path / "new/metrics.csv").read_text().splitlines()) == 2
    start, end = complete_checkpoints(tmp_path / "new/checkpoints")
    assert (start.name, end.name) == ("step-00000000", "step-00000005")
    last = complete_checkpoints(tmp_path / "old/checkpoints")[-1]
    old, new = weights(last), weights(start)
    assert old.keys() == new.keys()
    assert all(torch.equal(new[name], value) for name, value in old.items())
    moments, theirs = (load_file(directory / "state.safetensors") for directory in (start, last))
    assert moments
    assert moments.keys() == theirs.keys()
    assert all(torch.equal(moments[name], value) for name, value in theirs.items())
    assert not all(torch.equal(weights(end)[name], value) for name, value in old.items())
    third = train("--resume", "new", "--epochs", 1, "--output", "newer", "--seed", 7)
    assert (third["parent"]["epochs"], third["seed"], third["mix"]) == (3, 7, "mixup")


def test_a_stopped_continuation_resumes_from_its_parents_end(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in its first epoch, before its first checkpoint."""
    train(*quick, "--output", "old")
    record = train("--resume", "old", "--epochs", 2, "--output", "new")

    def stop(*arguments: object) -> None:
        raise RuntimeError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(RUN, "train_epoch", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            train("--resume", "old", "--epochs", 2, "--output", "stopped")
    assert train("--output", "stopped", "--resume", "auto")["parent"] == record["parent"]
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "new")


def test_a_continuation_killed_before_its_first_checkpoint_is_no_run(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--resume auto` would take it for one that has not trained yet, and start with random weights."""
    train(*quick, "--output", "old", "--checkpoint-interval", 1)
    options = ["--resume", "old", "--epochs", 1, "--output", "new"]

    def kill(*arguments: object) -> None:
        raise KeyboardInterrupt

    for place in ("tell_opening", "save_checkpoint"):
        with monkeypatch.context() as patch:
            patch.setattr(RUN, place, kill)
            with pytest.raises(KeyboardInterrupt):
                train(*options)
        assert not (tmp_path / "new/config.yaml").exists()
    assert train(*options)["parent"]["run"] == "old"
    middle = ["--resume", "old/checkpoints/step-00000009", "--output", "again"]
    with monkeypatch.context() as patch:
        patch.setattr(RUN, "tell_opening", kill)
        with pytest.raises(KeyboardInterrupt):
            train(*middle)
    train(*middle)
    assert outcome(tmp_path / "again") == outcome(tmp_path / "old")


def test_options_that_cannot_change_are_named(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", "old")
    for words, said in (
        (
            "--epochs 3 --output new --model test_vit",
            "--model must be that of the run to continue, test_resnet",
        ),
        (
            "--epochs 3 --output new --batch-size 4",
            "--batch-size must be that of the run to continue, 8, got 4",
        ),
        ("--epochs 3 --output new --opt adamw", "a continuation can change"),
        ("--epochs 3", "to train so many more, use --resume old --output NEW"),
        ("--epochs 3 --output old", "to train so many more, use --resume old --output NEW"),
    ):
        with pytest.raises(UsageError, match=said):
            train("--resume", "old", *words.split())
        assert not (tmp_path / "new").exists()
    (tmp_path / "old/summary.json").unlink()
    with pytest.raises(UsageError, match=r"which only a new run can change$"):
        train("--resume", "old", "--epochs", 3, "--output", "new")


@pytest.mark.parametrize(
    ("parents", "given", "lost"),
    [
        (["--no-aug"], {"crop_padding": 4, "hflip": 0.5}, "no_aug"),
        (["--crop-padding", 4], {"scale": (0.5, 1.0)}, "crop_padding"),
        (["--aa", "rand-m9"], {"color_jitter": 0.4}, "aa"),
        (["--lr-base", 0.1], {"lr": 0.01}, "lr_base"),
    ],
)
def test_an_option_is_given_instead_of_the_parents_that_disables_it(
    parents: list[object], given: dict[str, Any], lost: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    """The record of the new run can be read."""
    train(*quick[:-4], *parents, "--epochs", 1, "--output", "old")  # without its --lr and --crop-padding
    words = [word for name, value in given.items() for word in (flag(name), *np.atleast_1d(value))]
    train("--resume", "old", "--epochs", 1, "--seed", 1, "--output", "new", *words)
    values = flat(read_options(tmp_path / "new"))
    assert {name: values[name] for name in given} == given
    assert values[lost] == declared(TrainOptions)[lost].default


def test_options_that_exclude_one_of_the_parents_are_an_error(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    train(*quick, "--mix", "mixup", "--mixup-off-epoch", 1, "--output", "old")
    words = ["--resume", "old", "--epochs", 1, "--output", "new", "--mix", "mixup", "--mix-schedule", "0-0.5"]
    with pytest.raises(UsageError, match=r"--mix.* remove one of them"):
        train(*words)
    assert not (tmp_path / "new").exists()
    train(*words, "--mixup-off-epoch", 0)
    assert read_options(tmp_path / "new").mixing.mix_schedule == "0-0.5"


def test_wrong_labels_stay_those_of_the_parent(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--label-noise", 0.4, "--epochs", 1, "--output", "old")
    with pytest.raises(
        UsageError, match=r"--seed must be that of the run to continue, .* --label-noise, got 7"
    ):
        train("--resume", "old", "--epochs", 1, "--seed", 7, "--output", "new")
    assert not (tmp_path / "new").exists()
    assert train("--resume", "old", "--epochs", 1, "--output", "new")["label_noise"]["noisy_samples"] > 0


def test_the_card_names_the_parent_without_its_place(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", tmp_path / "secret/old")
    train("--resume", tmp_path / "secret/old", "--epochs", 1, "--output", "new")
    record, _ = read_run(tmp_path / "new")
    assert record["summary"]["parent"]["run"] == "old"
    assert "secret" not in json.dumps(record)
