"""Training from memory equals training from files."""

import csv
from pathlib import Path

import pytest

from timm_multimix.errors import UsageError

from .helpers import TIMING, Train, outcome


@pytest.mark.parametrize("cache", ["ram", "device"])
def test_without_augmentation_the_run_is_the_same(
    cache: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    plain = [*quick[: quick.index("--crop-padding")], "--no-aug"]
    train(*plain, "--output", "files")
    train(*plain, "--output", "memory", "--cache", cache)
    files, memory = outcome(tmp_path / "files"), outcome(tmp_path / "memory")
    del files["config.json"], memory["config.json"]  # they say how they were trained
    assert files == memory


def test_augmented_runs_are_the_same_after_a_resume(train: Train, quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--cache", "ram", "--color-jitter", 0.3, "--checkpoint-interval", 3]
    train(*options, "--output", "whole")
    train(*options, "--output", "again")
    for step in sorted((tmp_path / "again/checkpoints").glob("step-*"))[-1:]:
        for file in step.iterdir():
            file.unlink()
        step.rmdir()
    (tmp_path / "again/summary.json").unlink()
    train(*options, "--output", "again", "--resume", "auto")
    assert outcome(tmp_path / "whole") == outcome(tmp_path / "again")


def test_augmented_images_train(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--cache", "ram", "--output", "run")
    rows = list(csv.reader((tmp_path / "run/metrics.csv").open()))
    assert len(rows) == 3
    assert len(rows[0]) > TIMING


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cache", "ram", "--reprob", 0.5], "augmentation in batches: .* got `reprob`"),
        (["--cache", "ram", "--streaming"], "--cache cannot be used with --streaming"),
    ],
)
def test_options_that_exclude_a_cache(
    options: list[object], message: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(*quick, *options, "--output", "run")
    assert not (tmp_path / "run").exists()
