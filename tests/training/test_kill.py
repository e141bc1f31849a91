"""Killed at any moment and resumed, a run ends with the same bits as the undisturbed one."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from timm_multimix.files import publish_directory
from timm_multimix.training.checkpoint import find_checkpoint

from .helpers import Train, command, outcome, updates_kept
from .marked import Marks
from .soak import compare, configured, kill_all


def test_killed_in_the_middle(train: Train, quick: list[str], tmp_path: Path) -> None:
    recipe = ["--mix", "mixup|multimix(n=20)", "--model-ema", "--workers", "2", "--epochs", "8"]
    options = [*quick, *recipe, "--checkpoint-interval", "1"]
    train(*options, "--output", "whole")
    again = [*options, "--output", "run", "--resume", "auto"]
    words, environment = command(*again)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, env=environment, cwd=tmp_path, **silent)
    while updates_kept(tmp_path / "run") < 7 and process.poll() is None:
        time.sleep(0.005)
    assert kill_all(process) >= 3  # the run and two loaders, or those of the evaluation as well
    assert 7 <= updates_kept(tmp_path / "run") < 40
    train(*again)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "workers", "phase"),
    [(1, 0, "checkpoint"), (1, 2, "upload"), (2, 0, "evaluation"), (2, 2, "step")],
)
def test_killed_at_random(tmp_path: Path, processes: int, workers: int, phase: str) -> None:
    """One kill of each kind; `make soak` does thirty."""
    moments = random.Random(2 * processes + workers)
    with configured(tmp_path, processes, workers) as rounds:
        assert rounds.kill_in(phase, moments), "nothing was killed"
        assert rounds.kills[0]["processes_killed"] >= processes
        assert not (rounds.run / "summary.json").exists() or phase == "upload"
        compare(rounds)


def test_a_kill_after_the_end_does_not_count() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while process.poll() is None:
        time.sleep(0.01)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2)"])
    time.sleep(1.0)
    assert kill_all(process) == 0
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert kill_all(process) == 1


def test_marks_are_read_by_another_process(tmp_path: Path) -> None:
    mine, other = Marks(tmp_path / "marks"), Marks(tmp_path / "marks")

    def inside() -> tuple[str, int]:
        return other.now(), other.count("step")

    assert mine.around("step", inside)() == ("step", 1)
    assert mine.around("step", mine.around("upload", inside))() == ("upload", 2)
    assert other.now() == "start"


@pytest.mark.parametrize("call", [1, 2], ids=["before its name", "before the new name"])
def test_a_checkpoint_that_is_being_replaced_is_not_lost(
    call: int, train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at either rename of a checkpoint that is written once more."""
    options = [*quick, "--output", "run", "--resume", "auto"]
    train(*options)
    expected, checkpoints = outcome(tmp_path / "run"), tmp_path / "run/checkpoints"
    (tmp_path / "run/summary.json").unlink()
    shutil.rmtree(checkpoints / "step-00000005")
    newest, again = checkpoints / "step-00000010", checkpoints / ".tmp-new-step-00000010"
    shutil.copytree(newest, again)
    left, rename = [call], os.replace

    def killed(*names: Path) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        rename(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_directory(again, newest)
    assert newest.exists() == (call == 1)
    train(*options)
    assert find_checkpoint(tmp_path / "run").checkpoint == newest
    assert outcome(tmp_path / "run") == expected
    assert updates_kept(tmp_path / "run") == 10
    assert not list((tmp_path / "run").rglob(".tmp-*"))


@pytest.mark.parametrize("half", ["folder", "files", "name"])
def test_a_half_written_checkpoint_is_never_taken(
    half: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    """A checkpoint after a kill: a directory without its name, or, on a poor disk, files cut short."""
    options = [*quick, "--output", "run", "--resume", "auto"]
    train(*options)
    expected, checkpoints = outcome(tmp_path / "run"), tmp_path / "run/checkpoints"
    (tmp_path / "run/summary.json").unlink()
    newest = checkpoints / "step-00000010"
    if half == "folder":
        newest.rename(checkpoints / ".tmp-new-step-00000010")
    elif half == "files":
        for path in newest.iterdir():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        (newest / "check.json").unlink()
        shutil.copytree(newest, checkpoints / "step-00000011")
    assert find_checkpoint(tmp_path / "run").checkpoint == checkpoints / "step-00000005"
    if half == "name":
        shutil.rmtree(checkpoints / "step-00000011")
    train(*options)
    assert outcome(tmp_path / "run") == expected
    assert not list((tmp_path / "run").rglob(".tmp-*"))
