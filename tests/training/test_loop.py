"""Steps of training: accumulation, clipping, schedules, losses that are not finite."""

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from timm_multimix import MixTask
from timm_multimix.errors import UsageError

from .helpers import Train


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model/model.safetensors")


@pytest.mark.parametrize("more", [["--grad-accum-steps", 11, "--clip-grad", 0.5], ["--grad-accum-steps", 20]])
def test_accumulated_batches_are_a_big_batch(
    more: list[object], train: Train, quick: list[str], tmp_path: Path
) -> None:
    # a model without batch statistics, in batches that divide the 44 images: a group of 20 has but 11
    options = [*quick, "--model", "test_vit", "--opt", "sgd", "--epochs", 1, "--sched", "none", *more]
    train(*options, "--batch-size", 4, "--output", "many")
    train(*options, "--batch-size", 44, "--output", "one")
    many, one = last_weights(tmp_path / "many"), last_weights(tmp_path / "one")
    assert all(torch.allclose(many[name], one[name], atol=1e-6) for name in one)


def test_a_short_last_group_is_a_step_too(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--grad-accum-steps", 2, "--output", "run")
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert [row["updates"] for row in rows] == ["3", "6"]
    assert float(rows[-1]["lr"]) == 0


def test_a_mix_that_leaves_all_steps_out_trains_nothing(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    """Neither decay nor momentum nor batch statistics move, and the schedule goes on."""
    options = [*quick, "--model-ema", "--grad-accum-steps", 2]
    for rate in (0.1, 0.2):
        train(*options, "--mix", "skip", "--lr", rate, "--output", f"skip-{rate}")
    train(*options, "--mix", "none", "--lr", 0.1, "--output", "none")
    first, second, trained = (last_weights(tmp_path / name) for name in ("skip-0.1", "skip-0.2", "none"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], trained[name]) for name in first)
    skipped, other = (
        [(row["lr"], row["updates"]) for row in csv.DictReader((tmp_path / name / "metrics.csv").open())]
        for name in ("skip-0.1", "none")
    )
    assert skipped == other


def test_batches_left_out_of_a_group_add_nothing_to_it(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    """A group of two halves, of which one is left out, is a step along half of the other's gradient."""
    options = [*quick, "--model", "test_vit", "--opt", "momentum", "--momentum", 0, "--weight-decay", 0]
    options += ["--epochs", 1, "--sched", "none", "--batch-size", 22, "--seed", 3]
    mix = "0.5*none | 0.5*skip"
    task = MixTask(torch.nn.Linear(1, 1), mix, seed=3)
    assert [task.skips(step) for step in range(2)].count(True) == 1  # of the two batches there are
    train(*options, "--mix", mix, "--lr", 0.1, "--grad-accum-steps", 2, "--output", "group")
    train(*options, "--mix", mix, "--lr", 0.05, "--output", "alone")
    group, alone = last_weights(tmp_path / "group"), last_weights(tmp_path / "alone")
    assert all(torch.allclose(group[name], alone[name], atol=1e-6) for name in group)


@pytest.mark.parametrize("mode", ["norm", "value", "agc"])
def test_clipping_bounds_the_step(mode: str, train: Train, quick: list[str], tmp_path: Path) -> None:
    options = f"--clip-mode {mode} --opt momentum --momentum 0 --weight-decay 0 --sched none --lr 1".split()
    train(*quick, *options, "--clip-grad", 1e-7, "--output", "run")
    train(*quick, "--lr", 1e-12, "--sched", "none", "--output", "still")
    moved, still = last_weights(tmp_path / "run"), last_weights(tmp_path / "still")
    head = "fc" if mode == "agc" else "nothing"  # as in timm, agc leaves the classifier alone
    names = [n for n in still if n.endswith(("weight", "bias")) and not n.startswith(head)]
    assert all(torch.allclose(moved[name], still[name], atol=1e-4) for name in names)
    assert any(not torch.equal(moved[name], still[name]) for name in names)


def test_a_loss_that_is_not_finite_names_the_step(train: Train, quick: list[str]) -> None:
    with pytest.raises(UsageError, match=r"not finite at training step \d"):
        train(*quick, "--lr", 1e30, "--opt", "sgd", "--sched", "none", "--output", "run")


def test_the_schedule_counts_updates(train: Train, quick: list[str], tmp_path: Path) -> None:
    more = ["--warmup-epochs", 1, "--warmup-lr", 0, "--cooldown-epochs", 1, "--lr", 0.1, "--min-lr", 0.001]
    summary = train(*quick, *more, "--output", "run")
    rates = [float(row["lr"]) for row in csv.DictReader((tmp_path / "run/metrics.csv").open())]
    assert summary["epochs"] == 3
    assert rates[1:] == pytest.approx([0.001, 0.001])
    assert rates[0] == pytest.approx(0.0505)  # half of a cosine, begun with the warm-up


@pytest.mark.parametrize(
    "more",
    [
        "--bce-loss --smoothing 0.1 --mix cutmix",
        "--distill 0.5 --distill-teacher self --mix dense_multimix(n=8,m=3) --model test_vit",
        "--grad-checkpointing --mix manifold_mixup --drop-path 0.1",
        "--mix sample_pairing --mix-schedule 0.2-0.8:0.2/0.1 --hflip 0.3 --aa rand-m3 --reprob 0.2",
        "--in-chans 1 --num-classes 5 --validation-batch-size 3 --layer-decay 0.7 --opt lamb --lr 1e-3",
        "--sched step --decay-epochs 1 --torchcompile eager",
    ],
)
def test_options_train(more: str, train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, *more.split(), "--epochs", 1, "--output", "run")
    assert summary["samples_evaluated"] == 13
    weights = last_weights(tmp_path / "run")
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mix_schedule_takes_effect_with_persistent_workers(
    workers: int, train: Train, quick: list[str], tmp_path: Path
) -> None:
    """Off in the first epoch, as if nothing were mixed, and on in the second."""
    rows = []
    for name, mix in (("plain", ["none"]), ("mixed", ["mixup", "--mix-schedule", "0.5-1"])):
        train(*quick, "--workers", workers, "--mix", *mix, "--output", name)
        rows.append(list(csv.DictReader((tmp_path / name / "metrics.csv").open())))
    losses = [[row["train_loss"] for row in of_run] for of_run in rows]
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]
