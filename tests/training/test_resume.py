"""A run that is interrupted and resumed ends as if it had not been."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from timm_multimix.errors import UsageError
from timm_multimix.training import checkpoint

from .helpers import Train, outcome

RECIPES = {
    "sgd": "--mix mixup|cutmix --drop 0.3 --grad-accum-steps 2 --clip-grad 1",
    "adamw": "--mix multimix(n=20,m=4) --opt adamw --lr 0.002 --model-ema --distill 0.5 --layer-decay 0.9",
    "combined": "--mix 0.4*skip|mixup>>(none+multimix(n=20,p=1)) --grad-accum-steps 2 --model-ema",
    "repeated augmentation": "--mix mixup --aug-repeats 3 --hflip 0.5",
    "channels last": "--mix manifold_mixup --channels-last --opt adamw --lr 0.002 --smoothing 0.1",
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_resuming_from_any_checkpoint_gives_the_same_run(
    recipe: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    options = [*quick, *recipe.split(), "--checkpoint-hist", 100]
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


def test_a_damaged_checkpoint_is_passed_over(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*quick, "--output", "run", "--resume", "auto"]
    train(*options)
    expected = outcome(tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    newest = tmp_path / "run/checkpoints/step-00000010"
    content = (newest / "weights.safetensors").read_bytes()
    (newest / "weights.safetensors").write_bytes(content[:-1])
    assert (
        checkpoint.find_checkpoint(tmp_path / "run").checkpoint == tmp_path / "run/checkpoints/step-00000005"
    )
    with pytest.raises(UsageError, match="no complete checkpoint"):
        train("--resume", newest)
    train(*options)
    said = capsys.readouterr().err
    assert said == (
        "warning: run/checkpoints/step-00000010/weights.safetensors does not hold what was written; "
        "resuming from run/checkpoints/step-00000005\n"
    )
    assert outcome(tmp_path / "run") == expected


DAMAGED_CHECKS = ["{}", "[]", "", "{", '"a"', '{"a\\u0000b": 1}', '{"..": "a"}']


def test_damaged_checksums_are_detected(train: Train, quick: list[str], tmp_path: Path) -> None:
    """Empty, of another kind, truncated, or with missing or other entries."""
    train(*quick, "--epochs", 1, "--output", "run")
    (newest,) = (tmp_path / "run/checkpoints").glob("step-*")
    text = (newest / "check.json").read_text()
    assert checkpoint.find_damage(newest) is None
    entries = json.loads(text)
    fewer = [json.dumps({k: v for k, v in entries.items() if k != name}) for name in entries]
    other = [json.dumps(entries | {name: "0" * 64}) for name in entries]
    for damage in [*DAMAGED_CHECKS, *fewer, *other, *(text[:length] for length in range(0, len(text), 40))]:
        (newest / "check.json").write_text(damage)
        said = checkpoint.find_damage(newest)
        assert said is not None, damage
        assert said.startswith("run/") or str(newest) in said
        assert "\n" not in said


@pytest.mark.parametrize("damage", ["checks", "files", "gone"])
def test_without_an_intact_checkpoint_nothing_is_started_anew(
    damage: str, train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*quick, "--output", "run"]
    train(*options)
    (tmp_path / "run/summary.json").unlink()
    for step in (tmp_path / "run/checkpoints").glob("step-*"):
        if damage == "checks":
            (step / "check.json").write_text("{}")
        elif damage == "files":
            (step / "state.json").unlink()
        else:
            shutil.rmtree(step)
    before = (tmp_path / "run/metrics.csv").read_bytes()
    words = {
        "checks": r"step-00000010/check.json .*step-00000005/check.json",
        "files": r"state.json cannot be",
    }
    with pytest.raises(UsageError, match=words.get(damage, "holds no checkpoint")) as caught:
        train(*options, "--resume", "auto")
    assert "start again with --overwrite" in str(caught.value)
    assert (tmp_path / "run/metrics.csv").read_bytes() == before
    assert train(*options, "--epochs", 1, "--overwrite")["epochs"] == 1


def test_a_run_killed_before_its_first_checkpoint_starts(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    options = [*quick, "--epochs", 1, "--output", "run", "--resume", "auto"]
    train(*options)
    expected = outcome(tmp_path / "run")
    for name in ("summary.json", "metrics.csv", "curves.png"):
        (tmp_path / "run" / name).unlink()
    shutil.rmtree(tmp_path / "run/checkpoints")
    train(*options)
    assert outcome(tmp_path / "run") == expected


@pytest.mark.parametrize("name", ["summary.json", "config.yaml"])
def test_a_run_with_a_damaged_record_is_not_resumed(
    name: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    train(*quick, "--epochs", 1, "--output", "run")
    for damage in ("", "[]", "{}", "{"):
        (tmp_path / "run" / name).write_text(damage)
        with pytest.raises(UsageError, match=name):
            train("--output", "run", "--resume", "auto")


@pytest.fixture
def unfinished(train: Train, quick: list[str], pictures: Path, tmp_path: Path) -> Path:
    """The data of a run that is not finished, a copy of the pictures."""
    shutil.copytree(pictures, tmp_path / "data")
    train(*quick, "--dataset", "data", "--epochs", 1, "--output", "run")
    (tmp_path / "run/summary.json").unlink()
    return tmp_path / "data"


def test_other_conditions_cannot_be_resumed(train: Train, unfinished: Path) -> None:
    next((unfinished / "train/colour1").iterdir()).unlink()
    with pytest.raises(UsageError, match=r"training images must be that of .*, 44, got 43"):
        train("--resume", "run")


def test_other_images_of_the_same_number_cannot_be_resumed(
    train: Train, unfinished: Path, pictures: Path
) -> None:
    one, two = (unfinished / f"train/colour{label}/0.png" for label in (0, 1))
    one.rename(two.with_name("moved.png"))
    two.rename(one.with_name("moved.png"))
    with pytest.raises(
        UsageError, match=r"training data must be that of .*, 44 images \(\w+\), got 44 images"
    ):
        train("--resume", "run")
    shutil.rmtree(unfinished / "train")
    shutil.copytree(pictures / "train", unfinished / "train")
    (unfinished / "val/colour2/3.png").unlink()
    with pytest.raises(UsageError, match=r"evaluation data must be that of .*, 13 images .*, got 12 images"):
        train("--resume", "run")
    shutil.copy(pictures / "val/colour2/3.png", unfinished / "val/colour2/3.png")
    assert train("--resume", "run")["samples_evaluated"] == 13


def test_options_that_are_not_given_again_stay_as_they_were(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    """Also those that do not bear on the result: fewer checkpoints would be kept otherwise, and no logs."""
    train(*quick, "--output", "run", "--checkpoint-interval", 1, "--checkpoint-hist", 9)
    (tmp_path / "run/summary.json").unlink()
    shutil.rmtree(tmp_path / "run/checkpoints/step-00000010")
    config = (tmp_path / "run/config.yaml").read_text()
    train("--output", "run", "--resume", "auto")
    assert (tmp_path / "run/config.yaml").read_text() == config
    assert len(list((tmp_path / "run/checkpoints").glob("step-*"))) == 9
    (tmp_path / "run/summary.json").unlink()
    train("--output", "run", "--resume", "auto", "--checkpoint-hist", 3)
    assert "checkpoint_hist: 3\n" in (tmp_path / "run/config.yaml").read_text()


def test_only_the_newest_two_checkpoints_stay(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", "run", "--checkpoint-interval", 2)
    names = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert names == {"best", "step-00000008", "step-00000010"}


def test_a_run_that_goes_back_keeps_its_new_checkpoints(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    """And none of the line that it left, which `--resume auto` would take for the newest."""
    train(*quick, "--output", "run", "--checkpoint-interval", 1, "--checkpoint-hist", 100)
    checkpoints = tmp_path / "run/checkpoints"
    last = checkpoints / "step-00000010"
    written = (last / "check.json").stat().st_mtime_ns
    kept: list[set[str]] = []
    save = checkpoint.save_checkpoint

    def saved(*args: Any) -> None:
        save(*args)
        kept.append({path.name for path in checkpoints.glob("step-*")})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["timm_multimix.training.run"], "save_checkpoint", saved)
        back = ["--checkpoint-hist", 2, "--checkpoint-interval", 0]
        train("--resume", checkpoints / "step-00000004", *back)
    assert kept[0] == {"step-00000004", "step-00000005"}
    assert kept[-1] == {"step-00000005", "step-00000010"}
    assert (last / "check.json").stat().st_mtime_ns > written


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
