"""Killed at any moment and resumed, a run ends with the same bits as the undisturbed one."""

import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from .helpers import Train, command, launch, outcome


def updates_kept(run: Path) -> int:
    """Optimizer updates up to the newest checkpoint."""
    return max((int(path.name[5:]) for path in run.glob("checkpoints/step-*")), default=0)


def start_and_kill(options: list[str], run: Path, updates: int, delay: float, processes: int = 1) -> None:
    """Start a run, and kill it `delay` seconds after a checkpoint of so many updates: the launcher, all
    processes and their loaders, as a machine that goes down does.
    """
    words, environment = command(*options, processes=processes)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, env=environment, cwd=run.parent, **silent)
    while updates_kept(run) < updates and process.poll() is None:
        time.sleep(0.005)
    time.sleep(delay)
    assert process.poll() is None, "the run ended by itself"
    # torchrun gives its processes sessions of their own, so killing one group would leave them running
    victims = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    psutil.wait_procs(victims)
    process.wait()


def test_killed_in_the_middle(train: Train, quick: list[str], tmp_path: Path) -> None:
    recipe = ["--mix", "mixup|multimix(n=20)", "--model-ema", "--workers", "2", "--epochs", "8"]
    options = [*quick, *recipe, "--checkpoint-interval", "1"]
    train(*options, "--output", "whole")
    again = [*options, "--output", "run", "--resume", "auto"]
    start_and_kill(again, tmp_path / "run", updates=7, delay=0.1)
    assert 7 <= updates_kept(tmp_path / "run") < 40
    train(*again)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_random(quick: list[str], tmp_path: Path, processes: int, workers: int) -> None:
    recipe = ["--mix", "mixup|cutmix|multimix(n=20)", "--distill", "0.5", "--grad-accum-steps", "2"]
    options = [*quick, *recipe, "--workers", str(workers), "--epochs", "30"]
    whole = launch(*options, "--output", "whole", processes=processes, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    again = [*options, "--output", "run", "--resume", "auto", "--checkpoint-interval", "1"]
    moments = random.Random(workers)
    for _ in range(5):
        updates = updates_kept(tmp_path / "run") + moments.randrange(8)
        start_and_kill(again, tmp_path / "run", updates, moments.uniform(0, 0.2), processes)
    assert updates_kept(tmp_path / "run") > 0
    done = launch(*again, processes=processes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")
    assert not list((tmp_path / "run").rglob(".tmp-*"))
