"""A run that is interrupted and resumed ends as if it had not been."""

import shutil
from pathlib import Path

import pytest

from timm_multimix.errors import UsageError
from timm_multimix.train import checkpoint

from .helpers import Train, outcome

RECIPES = {
    "sgd": "--mix mixup|cutmix --drop 0.3 --grad-accum-steps 2 --clip-grad 1",
    "adamw": "--mix multimix(n=20,m=4) --opt adamw --lr 0.002 --model-ema --distill 0.5 --layer-decay 0.9",
    "combined": "--mix 0.4*skip|mixup>>(none+multimix(n=20,p=1)) --grad-accum-steps 2 --model-ema",
    "channels last": "--mix manifold_mixup --channels-last --opt adamw --lr 0.002 --smoothing 0.1",
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_resuming_from_any_checkpoint_gives_the_same_run(
    recipe: str, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "KEPT", 100)
    options = [*quick, *recipe.split()]
    train(*options, "--output", "whole", "--checkpoint-interval", 1)
    checkpoints = sorted((tmp_path / "whole/checkpoints").glob("step-*"))
    assert len(checkpoints) == (6 if "accum" in recipe else 10)
    for source in checkpoints[1::3]:
        train("--resume", source, "--output", f"again-{source.name}")
        assert outcome(tmp_path / f"again-{source.name}") == outcome(tmp_path / "whole")


def test_auto_starts_continues_and_ends(train: Train, quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--output", "run", "--resume", "auto", "--checkpoint-interval", 1]
    first = train(*options)
    expected = outcome(tmp_path / "run")
    stamp = (tmp_path / "run/metrics.csv").stat().st_mtime_ns
    assert train(*options) == first
    assert (tmp_path / "run/metrics.csv").stat().st_mtime_ns == stamp
    (tmp_path / "run/summary.json").unlink()
    shutil.rmtree(tmp_path / "run/checkpoints/step-00000010")
    train(*options, "--workers", 1)
    assert outcome(tmp_path / "run") == expected
    assert (tmp_path / "run/summary.json").is_file()


def test_a_damaged_checkpoint_is_passed_over(train: Train, quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--output", "run", "--resume", "auto"]
    train(*options)
    expected = outcome(tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    newest = tmp_path / "run/checkpoints/step-00000010"
    content = (newest / "weights.safetensors").read_bytes()
    (newest / "weights.safetensors").write_bytes(content[:-1])
    assert checkpoint.newest_checkpoint(tmp_path / "run") == tmp_path / "run/checkpoints/step-00000005"
    with pytest.raises(UsageError, match="no complete checkpoint"):
        train("--resume", newest)
    train(*options)
    assert outcome(tmp_path / "run") == expected


def test_other_conditions_cannot_be_resumed(
    train: Train, quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "data")
    train(*quick, "--dataset", "data", "--epochs", 1, "--output", "run")
    (tmp_path / "run/summary.json").unlink()
    next((tmp_path / "data/train/colour1").iterdir()).unlink()
    with pytest.raises(UsageError, match=r"training images: .* was written with 44, this run has 43"):
        train("--resume", "run")


def test_only_the_newest_two_checkpoints_stay(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", "run", "--checkpoint-interval", 2)
    names = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert names == {"best", "step-00000008", "step-00000010"}


@pytest.mark.parametrize(
    ("option", "value"), [("--mix", "cutmix"), ("--model", "test_vit"), ("--opt", "adamw"), ("--seed", "1")]
)
def test_another_run_cannot_be_resumed(
    option: str, value: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    train(*quick, "--epochs", 1, "--output", "run")
    before = outcome(tmp_path / "run")
    with pytest.raises(UsageError, match=f"{option} {value}"):
        train("--resume", "run", option, value)
    assert outcome(tmp_path / "run") == before
