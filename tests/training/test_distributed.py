"""Two processes on CPUs."""

import json
import shutil
from pathlib import Path

import pytest

from .helpers import TRAIN, evaluate_plainly, launch, outcome


def test_two_processes_share_weights_and_the_evaluation(
    quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    more = ["--mix", "none|mixup|multimix(n=20)", "--model-ema", "--export-weights", "raw"]
    done = launch(*quick, *more, "--output", "run", processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["num_processes"] == 2
    assert summary["samples_evaluated"] == 13
    assert summary["parameters_equal_on_ranks"]
    assert summary["choices_equal_on_ranks"]
    assert summary["draws_differ_on_ranks"]
    result = summary["results"]["raw"]
    assert (result["loss"], result["top1"]) == pytest.approx(
        evaluate_plainly(tmp_path / "run/model", pictures), rel=1e-6
    )
    assert done.stdout.count("top-1") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mix", "precision"),
    [
        ("test_vit", "dense_multimix(n=20,p=1)", "no"),
        ("test_vit", "none|manifold_mixup|multimix(n=20)", "bf16"),
        ("test_vit", "0.5*skip|none+mixup", "no"),
        ("wrn16_2_cifar", "dense_multimix(n=20,p=1)", "bf16"),
        ("wrn16_2_cifar", "none|manifold_mixup|multimix(n=20)", "no"),
        ("wrn16_2_cifar", "0.5*skip|none+mixup", "bf16"),
    ],
)
def test_processes_stay_together(
    model: str, mix: str, precision: str, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every two of model, mix and precision meet."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", precision)
    more = ["--model", model, "--mix", mix, "--distill", 0.5, "--grad-accum-steps", 2, "--output", "run"]
    done = launch(*quick, *more, processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["mixed_precision"] == precision
    assert summary["parameters_equal_on_ranks"]
    assert summary["choices_equal_on_ranks"]


@pytest.mark.slow
def test_copies_of_images_on_two_processes_are_resumed_exactly(quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--mix", "mixup", "--aug-repeats", 2, "--checkpoint-interval", 1, "--output", "run"]
    done = launch(*options, processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = outcome(tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    shutil.rmtree(max((tmp_path / "run/checkpoints").glob("step-*")))
    done = launch(*options, "--resume", "auto", processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "run") == expected


@pytest.mark.slow
def test_a_mistake_is_printed_once(quick: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").touch()
    done = launch(*quick, "--output", "run", processes=2, cwd=tmp_path)
    assert done.returncode != 0
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["--mix none|multimix(n=20) --opt adamw", "--distill 0.5 --clip-grad 1"])
def test_sharded_weights(recipe: str, quick: list[str], tmp_path: Path) -> None:
    sharded = (str(Path(__file__).with_name("sharded.py")),)
    options = [*quick, *recipe.split(), "--grad-accum-steps", 2, "--checkpoint-interval", 1]
    for output, program in (("ddp", TRAIN), ("fsdp", sharded)):
        done = launch(*options, "--output", output, processes=2, cwd=tmp_path, program=program)
        assert done.returncode == 0, done.stderr
    losses = [
        json.loads((tmp_path / run / "summary.json").read_text())["results"]["raw"]["loss"]
        for run in ("ddp", "fsdp")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    expected = outcome(tmp_path / "fsdp")
    (tmp_path / "fsdp/summary.json").unlink()
    shutil.rmtree(max((tmp_path / "fsdp/checkpoints").glob("step-*")))
    done = launch(
        *options, "--output", "fsdp", "--resume", "auto", processes=2, cwd=tmp_path, program=sharded
    )
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "fsdp") == expected
