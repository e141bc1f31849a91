"""Killed at any moment and resumed, a run ends with the same bits as the undisturbed one."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .helpers import command, launch, outcome


def kill_until_finished(
    words: list[str], environment: dict[str, str], folder: Path, longest: float, kills: int
) -> int:
    """Start a run again and again, killed `kills` times at most at random moments; gives how often it was."""
    moments, killed = random.Random(0), 0
    while True:
        process = subprocess.Popen(
            words,
            env=environment,
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            errors = process.communicate(
                timeout=None if killed == kills else moments.uniform(0.3, 1) * longest
            )[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
        else:
            assert process.returncode == 0, errors.decode()
            return killed


def check_kills(quick: list[str], folder: Path, *more: object, processes: int, kills: int) -> None:
    started = time.monotonic()
    whole = launch(*quick, *more, "--output", "whole", processes=processes, cwd=folder)
    assert whole.returncode == 0, whole.stderr
    words, environment = command(
        *quick, *more, "--output", "run", "--resume", "auto", "--checkpoint-interval", 1, processes=processes
    )
    killed = kill_until_finished(words, environment, folder, time.monotonic() - started, kills)
    assert killed >= 1
    assert outcome(folder / "run") == outcome(folder / "whole")
    assert not list((folder / "run").rglob(".tmp-*"))


def test_one_process(quick: list[str], tmp_path: Path) -> None:
    more = ["--mix", "mixup|multimix(n=20)", "--model-ema", "--workers", "2", "--epochs", "4"]
    check_kills(quick, tmp_path, *more, processes=1, kills=2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("processes", [1, 2])
def test_many_kills(quick: list[str], tmp_path: Path, processes: int, workers: int) -> None:
    more = (
        f"--mix mixup|cutmix|multimix(n=20) --distill 0.5 --model-ema --workers {workers} --epochs 30".split()
    )
    check_kills(quick, tmp_path, *more, "--grad-accum-steps", 2, processes=processes, kills=6)
