"""The files in a run's directory."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from timm_multimix import cli
from timm_multimix.errors import UsageError
from timm_multimix.training import run_directory

from .helpers import Train

pytestmark = pytest.mark.usefixtures("drawn_curves")


def test_a_run_leaves_its_record(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--mix", "cutmix", "--model-ema", "--output", "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    expected = {
        "config.yaml",
        "metrics.csv",
        "summary.json",
        "curves.png",
        "checkpoints",
        "model",
        "train.log",
    }
    assert names == expected
    assert json.loads((tmp_path / "run/summary.json").read_text()) == summary
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["mix"] == "cutmix"


def test_metrics_have_a_row_an_epoch(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--mix", "cutmix", "--model-ema", "--output", "run")
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0])[-2:] == ["seconds", "images_per_second"]
    assert float(rows[-1]["ema_top1"]) == summary["top1"] == summary["results"]["ema"]["top1"]
    assert float(rows[-1]["eval_top1"]) == summary["results"]["raw"]["top1"]
    assert 0 < float(rows[-1]["train_top1_weighted"]) < 100
    assert max(float(row["ema_top1"]) for row in rows) == summary["top1_best"]


def test_some_epochs_only_are_evaluated(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--epochs", 3, "--val-interval", 2, "--output", "run")
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert [bool(row["eval_top1"]) for row in rows] == [False, True, True]
    assert all(row["train_loss"] for row in rows)
    every = train(*quick, "--epochs", 3, "--output", "every")
    assert summary["results"] == every["results"]
    assert summary["top1_best"] == max(float(row["eval_top1"]) for row in rows[1:])


def test_the_summary_says_what_was_done(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--output", "run", "--seed", 7)
    said = {name: summary[name] for name in ("mix", "model", "epochs", "seed", "num_processes")}
    assert said == {"mix": "none", "model": "test_resnet", "epochs": 2, "seed": 7, "num_processes": 1}
    assert (summary["train_samples"], summary["samples_evaluated"]) == (44, 13)
    assert (summary["evaluation_split"], summary["best_chosen_on_test_split"]) == ("val", False)
    assert summary["exported_weights"] == "raw"


def test_a_best_epoch_chosen_on_a_test_split_is_marked(
    train: Train, quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train").symlink_to(pictures / "train")
    (tmp_path / "data/test").symlink_to(pictures / "val")
    summary = train(*quick, "--dataset", "data", "--epochs", 1)
    assert (summary["evaluation_split"], summary["best_chosen_on_test_split"]) == ("test", True)


def test_runs_of_the_same_second_have_their_own_directories(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_directory.time, "strftime", lambda form: "20260102-030405")
    for _ in range(2):
        train(*quick, "--epochs", 1, "--mix", "mixup(alpha=0.5) | cutmix")
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    first = "20260102-030405-test_resnet-mixup_alpha_0.5_cutmix"
    assert names == [first, f"{first}-2"]


@pytest.mark.parametrize(
    "words",
    [
        "--initial-checkpoint run/model/model.safetensors",
        "--pretrained-path run/model/model.safetensors",
        "--model local-dir:run/model --pretrained",
        "--distill 0.5 --distill-teacher local-dir:run/model",
    ],
)
def test_a_run_does_not_replace_the_weights_that_it_needs(
    words: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    train(*quick, "--epochs", 1, "--output", "run")
    before = (tmp_path / "run/model/model.safetensors").read_bytes()
    with pytest.raises(
        UsageError, match=r"^--[a-z-]+ must be outside of the run that --overwrite deletes, got"
    ):
        train(*quick, *words.split(), "--output", "run", "--overwrite")
    assert (tmp_path / "run/model/model.safetensors").read_bytes() == before


def test_a_run_outlives_the_file_that_it_started_from(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(*quick, "--epochs", 1, "--output", "first")
    weights = (tmp_path / "first/model/model.safetensors").rename(tmp_path / "w.safetensors")
    train(*quick, "--epochs", 1, "--output", "run", "--initial-checkpoint", weights)
    weights.unlink()
    assert cli.main(["evaluate", "run", "--workers", "0"]) == 0
    assert cli.main(["compare", "run", "--output", "page"]) == 0
    assert train("--output", "run", "--resume", "auto")["epochs"] == 1
    with pytest.raises(UsageError, match="there is no such file"):
        train(*quick, "--output", "other", "--initial-checkpoint", weights)


def test_a_run_is_replaced_only_with_overwrite(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--output", "run")
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        train(*quick, "--output", "run", "--epochs", 1)
    assert train(*quick, "--output", "run", "--epochs", 1, "--overwrite")["epochs"] == 1
    assert (tmp_path / "run/notes.txt").read_text() == "mine"
    assert not (tmp_path / "run/checkpoints/step-00000010").exists()


def test_a_directory_of_something_else_is_never_overwritten(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(UsageError, match="is not a run's directory"):
        train(*quick, "--output", tmp_path, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_config_of_another_program_does_not_make_a_run(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    (tmp_path / "project/model").mkdir(parents=True)
    (tmp_path / "project/model/theirs.bin").touch()
    for text in ("db: postgres\n", "model: {name: theirs}\n", "mix: cutmix\n"):
        (tmp_path / "project/config.yaml").write_text(text)
        with pytest.raises(UsageError, match=r"must be a run's directory to be replaced: .*config.yaml"):
            train(*quick, "--output", "project", "--overwrite")
        assert (tmp_path / "project/config.yaml").read_text() == text
    assert (tmp_path / "project/model/theirs.bin").exists()


def test_tensorboard_gets_the_rows(train: Train, quick: list[str], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(*quick, "--output", "run", "--log-with", "tensorboard", "--log-interval", 2)
    events = EventAccumulator(str(tmp_path / "run/logs")).Reload()
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    logged = {event.step: event.value for event in events.Scalars("epoch/eval_top1")}
    assert logged == {int(row["updates"]): pytest.approx(float(row["eval_top1"])) for row in rows}
    assert len(events.Scalars("train/loss")) == 4
