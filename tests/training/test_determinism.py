"""The same seed gives the same run, whatever number of workers load it or of processes share a batch."""

import csv
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from .helpers import Train, launch, outcome


@pytest.mark.parametrize("mix", ["mixup|cutmix", "multimix(n=20)"])
def test_any_number_of_workers_gives_the_same_bits(
    mix: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    for workers in (0, 1, 4):
        train(*quick, "--mix", mix, "--color-jitter", 0.4, "--workers", workers, "--output", f"w{workers}")
    assert outcome(tmp_path / "w1") == outcome(tmp_path / "w0")
    assert outcome(tmp_path / "w4") == outcome(tmp_path / "w0")


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", ["--lr 0.01 --clip-grad 1", "--lr 0.01 --smoothing 0.1 --grad-accum-steps 2"]
)
def test_two_processes_with_half_the_batch_are_one_with_the_whole(
    recipe: str, quick: list[str], tmp_path: Path
) -> None:
    """Up to rounding, for a network without batch statistics."""
    options = [*quick, "--model", "test_vit", "--opt", "sgd", "--mix", "none", *recipe.split()]
    for processes, output in ((1, "one"), (2, "two")):
        size = ["--batch-size", 8 // processes]
        done = launch(*options, *size, "--output", output, processes=processes, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / run / "model/model.safetensors") for run in ("one", "two"))
    assert_close(two, one, rtol=1e-3, atol=1e-5)
    losses = [[float(row["train_loss"]) for row in rows(tmp_path / run)] for run in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def rows(run: Path) -> list[dict[str, str]]:
    """The epochs of a run."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))
