"""Comparisons as real processes: uninterrupted, killed and resumed, with a run that fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.helpers import updates_kept

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of class directories: two classes told apart by colour."""
    from PIL import Image

    root = tmp_path_factory.mktemp("data")
    for split, size in (("train", 16), ("val", 6)):
        for label, colour in enumerate(("red", "blue")):
            directory = root / split / f"class{label}"
            directory.mkdir(parents=True)
            for number in range(size):
                Image.new("RGB", (32, 32 + number % 2), colour).save(directory / f"{number}.png")
    return root


def words(data: Path, *more: str, mixes: tuple[str, ...] = ("none", "mixup"), seeds: int = 1) -> list[str]:
    """The command line of a comparison of short runs in the directory `out`."""
    arms = [word for mix in mixes for word in ("--mix", mix)]
    training = f"--dataset {data} --img-size 32 --batch-size 8 --workers 0 --lr 0.05 --no-aug".split()
    return ["compare", *arms, "--seeds", str(seeds), "--output", "out", "--", *training, *more]


def start(directory: Path, argv: list[str]) -> subprocess.Popen[str]:
    """Start a comparison in a process and a session of its own, as from a terminal."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "timm_multimix", *argv],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(directory: Path, argv: list[str]) -> tuple[int, str, str]:
    """Run a comparison to its end; its status, output and errors."""
    process = start(directory, argv)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for_updates(run: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run has kept two updates or more."""
    while updates_kept(run) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def rows(run: Path) -> list[list[str]]:
    """metrics.csv without the columns of time."""
    return [line.split(",")[:-2] for line in (run / "metrics.csv").read_text().splitlines()]


LONG = ("--epochs", "6", "--checkpoint-interval", "1")


def test_an_interrupted_comparison_is_continued(data: Path, tmp_path: Path) -> None:
    """SIGTERM reaches the training run, which saves; the same command then ends as without it."""
    (tmp_path / "whole").mkdir()
    assert finish(tmp_path / "whole", words(data, *LONG, mixes=("mixup",)))[0] == 0
    process = start(tmp_path, words(data, *LONG))
    wait_for_updates(tmp_path / "out/mixup/seed0", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err == "interrupted by SIGTERM; the same command continues the comparison\n"
    assert not (tmp_path / "out/mixup/seed0/summary.json").exists()
    status, out, err = finish(tmp_path, words(data, *LONG))
    assert (status, err) == (0, "")
    assert "[1/2] none, seed 0: finished before" in out
    assert rows(tmp_path / "out/mixup/seed0") == rows(tmp_path / "whole/out/mixup/seed0")
    record = json.loads((tmp_path / "out/comparison.json").read_text())
    assert [row["label"] for row in record["rows"]] == ["none", "mixup"]


def test_a_killed_run_is_reported_and_resumed(data: Path, tmp_path: Path) -> None:
    process = start(tmp_path, words(data, *LONG))
    run = tmp_path / "out/none/seed0"
    wait_for_updates(run, process)
    (child,) = children(process.pid)
    os.kill(child, signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert err.startswith("error: none, seed 0: ended by SIGKILL; see out/none/seed0.log")
    assert err.count("\n") == 1
    assert (tmp_path / "out/mixup/seed0/summary.json").is_file()
    assert "Missing: none, seed 0" in (tmp_path / "out/comparison.md").read_text()
    status, out, err = finish(tmp_path, words(data, *LONG))
    assert (status, err) == (0, "")
    assert "[2/2] mixup, seed 0: finished before" in out
    record = json.loads((tmp_path / "out/comparison.json").read_text())
    assert record["baseline"] == "none"
    assert not any(note.startswith("Missing") for note in record["notes"])


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in found.split()]


def test_a_run_that_still_trains_is_not_started_twice(data: Path, tmp_path: Path) -> None:
    """A killed comparison leaves its run training; the next one reports this and trains the others."""
    process = start(tmp_path, words(data, *LONG[:1], "200", *LONG[2:]))
    wait_for_updates(tmp_path / "out/none/seed0", process)
    (child,) = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    try:
        argv = words(data, *LONG[:1], "200", *LONG[2:], mixes=("none",))
        status, _, err = finish(tmp_path, argv)
        assert status == 2
        assert err.startswith(f"error: none, seed 0: another process ({child} on ")
        assert err.endswith(
            "is at work in out/none/seed0; wait for it or end it, or choose another directory\n"
        )
        assert err.count("\n") == 1
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_failing_run_does_not_stop_the_rest(data: Path, tmp_path: Path) -> None:
    """A mixer that the network does not support fails in its own run only, with its error at the end."""
    argv = words(data, "--epochs", "1", mixes=("none", "mixup(place='hidden', layers=('nowhere',))"))
    status, out, err = finish(tmp_path, argv)
    assert status == 2
    assert err.startswith("error: mixup(place='hidden', layers=('nowhere',)), seed 0: ")
    assert "nowhere" in err.partition("seed 0: ")[2]
    assert err.count("\n") == 1
    assert "[2/2]" in out
    assert [row["label"] for row in json.loads((tmp_path / "out/comparison.json").read_text())["rows"]] == [
        "none"
    ]
