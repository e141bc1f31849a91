"""Disks, data, workers and processes that fail: one line, the last good state kept, to be resumed."""

import importlib
import itertools
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from timm_multimix.errors import UsageError
from timm_multimix.training.checkpoint import complete_checkpoints, find_damage

from .helpers import TRAIN, Train, command, outcome, updates_kept

RUN = importlib.import_module("timm_multimix.training.run")  # the package's `run` is the function in it


def at_call(name: str, number: int, action: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call an action just before the n-th call of a function of the training."""
    original, calls = getattr(RUN, name), itertools.count(1)

    def acting(*arguments: Any, **options: Any) -> Any:
        if next(calls) == number:
            action()
        return original(*arguments, **options)

    monkeypatch.setattr(RUN, name, acting)


@contextmanager
def limits_kept() -> Iterator[None]:
    """Restore the limit of file sizes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def no_room() -> None:
    """Limit the size of files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))


def check_good(run: Path) -> None:
    """All checkpoints are intact, and no temporary files are left."""
    assert all(find_damage(path) is None for path in complete_checkpoints(run / "checkpoints"))
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.parametrize(
    ("writer", "number", "kept"), [("save_checkpoint", 2, 5), ("export_model", 1, 0), ("finish", 1, 10)]
)
def test_a_full_disk_loses_nothing(
    writer: str, number: int, kept: int, train: Train, quick: list[str], tmp_path: Path
) -> None:
    options = [*quick, "--output", "run", "--resume", "auto"]
    with limits_kept(), pytest.MonkeyPatch.context() as patch:
        at_call(writer, number, no_room, patch)
        with pytest.raises(UsageError, match=r"cannot write to run: .*too large") as caught:
            train(*options)
    assert "\n" not in str(caught.value)
    assert updates_kept(tmp_path / "run") == kept
    assert not (tmp_path / "run/summary.json").exists()
    check_good(tmp_path / "run")
    assert (tmp_path / "run").exists() == (kept > 0)
    train(*options)
    train(*quick, "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
@pytest.mark.slow
def test_a_file_system_without_room(train: Train, quick: list[str], tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine allows no mounts")
    try:
        filler = place / "filler"
        with pytest.MonkeyPatch.context() as patch:
            at_call("train_epoch", 2, lambda: fill(filler), patch)
            with pytest.raises(UsageError, match="No space left on device"):
                train(*quick, "--output", place / "run", "--checkpoint-interval", 1)
        check_good(place / "run")
        assert updates_kept(place / "run") >= 5
        filler.unlink()
        train(*quick, "--output", place / "run", "--resume", "auto")
        train(*quick, "--output", "whole")
        assert outcome(place / "run") == outcome(tmp_path / "whole")
    finally:
        subprocess.run(["umount", place], check=True)


def fill(path: Path) -> None:
    """Write until the file system is full."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))


@pytest.mark.parametrize("output", ["file/run", "/proc/run"])
def test_a_directory_that_cannot_be_written(
    output: str, train: Train, quick: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write the run's directory"):
        train(*quick, "--output", output)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_that_can_be_written_no_more(train: Train, quick: list[str], tmp_path: Path) -> None:
    checkpoints = tmp_path / "run/checkpoints"

    def replace() -> None:
        checkpoints.rename(tmp_path / "aside")
        checkpoints.touch()

    options = [*quick, "--output", "run", "--resume", "auto"]
    with pytest.MonkeyPatch.context() as patch:
        at_call("train_epoch", 2, replace, patch)
        with pytest.raises(UsageError, match=r"cannot write to run: .*Not a directory"):
            train(*options)
    checkpoints.unlink()
    (tmp_path / "aside").rename(checkpoints)
    check_good(tmp_path / "run")
    train(*options)
    train(*quick, "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.fixture
def data(pictures: Path, tmp_path: Path) -> Path:
    """A copy of the images, to be damaged."""
    return shutil.copytree(pictures, tmp_path / "data")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("harm", ["gone", "truncated"])
def test_a_file_that_changes_while_training(
    harm: str, split: str, workers: int, train: Train, quick: list[str], data: Path, tmp_path: Path
) -> None:
    victims = list((data / split / "colour1").iterdir())
    contents = {path: path.read_bytes() for path in victims}

    def damage() -> None:
        for path in victims:
            path.unlink() if harm == "gone" else path.write_bytes(contents[path][:50])

    options = [*quick, "--dataset", "data", "--workers", workers, "--output", "run", "--resume", "auto"]
    with pytest.MonkeyPatch.context() as patch:
        at_call("train_epoch", 2, damage, patch)
        with pytest.raises(UsageError, match=rf"broken image, data/{split}/colour1/\d+\.png: ") as caught:
            train(*options)
    assert "\n" not in str(caught.value)
    assert updates_kept(tmp_path / "run") == 5
    check_good(tmp_path / "run")
    for path, content in contents.items():
        path.write_bytes(content)
    train(*options)
    train(*quick, "--dataset", "data", "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_without_results_leaves_no_directory(
    exists: bool, train: Train, quick: list[str], data: Path, tmp_path: Path
) -> None:
    for path in (data / "train/colour0").iterdir():
        path.write_bytes(b"no image")
    if exists:
        (tmp_path / "run").mkdir()
    with pytest.raises(UsageError, match="broken image"):
        train(*quick, "--dataset", "data", "--output", "run")
    assert (tmp_path / "run").exists() == exists
    assert not exists or not list((tmp_path / "run").iterdir())


def test_a_worker_that_dies(train: Train, quick: list[str], tmp_path: Path) -> None:
    def kill() -> None:
        for child in psutil.Process().children():
            child.kill()

    options = [*quick, "--workers", 2, "--output", "run", "--resume", "auto"]
    with pytest.MonkeyPatch.context() as patch:
        at_call("train_epoch", 2, kill, patch)
        with pytest.raises(UsageError, match=r"a DataLoader worker died .*--resume auto") as caught:
            train(*options)
    assert "\n" not in str(caught.value)
    # the killed one may not have been waited for yet
    assert psutil.wait_procs(psutil.Process().children(), timeout=10)[1] == []
    check_good(tmp_path / "run")
    train(*options)
    train(*quick, "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_clock_that_goes_backwards(train: Train, quick: list[str], tmp_path: Path) -> None:
    """A resumed run takes the newest checkpoint, which does not have the latest time."""
    options = [*quick, "--checkpoint-interval", 1, "--output", "run", "--resume", "auto"]
    clock = itertools.count(2_000_000_000, -3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: float(next(clock)))
        at_call("train_epoch", 2, fail, patch)
        with pytest.raises(ZeroDivisionError):
            train(*options)
        for age, path in enumerate(complete_checkpoints(tmp_path / "run/checkpoints")):
            os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))
        patch.undo()
        patch.setattr(time, "time", lambda: float(next(clock)))
        summary = train(*options)
    assert summary["train_seconds"] > 0
    assert summary["images_per_second"] > 0
    train(*quick, "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def fail() -> None:
    raise ZeroDivisionError


@contextmanager
def two_ranks(
    *options: object, cwd: Path, program: tuple[str, ...] = TRAIN
) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes of one run, without a launcher that would end one where the other fails."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words, environment = command(*options, program=program)
    environment |= {"ACCELERATE_USE_CPU": "true", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            words,
            env=environment | {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        yield ranks
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()


def wait_for_updates(run: Path, ranks: list[subprocess.Popen[str]], updates: int) -> None:
    while updates_kept(run) < updates:
        assert all(rank.poll() is None for rank in ranks), [rank.communicate()[1] for rank in ranks]
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_ends_the_other(victim: int, quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--epochs", 60, "--output", "run"]
    with two_ranks(*options, cwd=tmp_path) as ranks:
        wait_for_updates(tmp_path / "run", ranks, 2)
        ranks[victim].kill()
        began = time.monotonic()
        said = ranks[1 - victim].communicate(timeout=60)[1]
    assert time.monotonic() - began < 30
    assert ranks[1 - victim].returncode == 2, said
    assert said.count("\n") == 1, said
    assert said.startswith("error: another process of the run died")
    assert ranks[victim].returncode == -signal.SIGKILL
    assert all(find_damage(path) is None for path in complete_checkpoints(tmp_path / "run/checkpoints"))
    assert updates_kept(tmp_path / "run") >= 2


@pytest.mark.slow
def test_a_process_that_hangs_ends_the_other(quick: list[str], tmp_path: Path) -> None:
    """With a patience of 15 seconds, as ten minutes are too long for a test."""
    program = tmp_path / "impatient.py"
    program.write_text(
        "import sys\n"
        "from datetime import timedelta\n"
        "from timm_multimix.training import consensus\n"
        "consensus.PATIENCE = timedelta(seconds=15)\n"
        "from timm_multimix.cli import main\n"
        "sys.exit(main(['train', *sys.argv[1:]]))\n"
    )
    options = [*quick, "--epochs", 60, "--output", "run"]
    with two_ranks(*options, cwd=tmp_path, program=(str(program),)) as ranks:
        wait_for_updates(tmp_path / "run", ranks, 2)
        ranks[1].send_signal(signal.SIGSTOP)
        said = ranks[0].communicate(timeout=120)[1]
    assert ranks[0].returncode == 2, said
    assert said.count("\n") == 1, said
    assert "did not answer in time" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_a_fault_of_one_process_is_printed_once(number: int, quick: list[str], tmp_path: Path) -> None:
    """One broken image among the first eight that are trained on, read by one of the processes."""
    for split, label, picture in itertools.product(("train", "val"), "ab", range(4)):
        (tmp_path / "data" / split / label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "data" / split / label / f"{picture}.png")
    broken = tmp_path / "data/train" / "ab"[number] / "2.png"
    broken.write_bytes(b"no image")
    options = [*quick, "--dataset", "data", "--batch-size", 4, "--epochs", 2, "--output", "run"]
    with two_ranks(*options, cwd=tmp_path) as ranks:
        said = "".join([rank.communicate(timeout=120)[1] for rank in ranks])
    assert [rank.returncode for rank in ranks] == [2, 2], said
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith(f"error: broken image, data/train/{'ab'[number]}/2.png")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_under_a_launcher_too(quick: list[str], tmp_path: Path) -> None:
    """torchrun ends the other processes and prints a traceback of its own after the line."""
    words, environment = command(*quick, "--epochs", 60, "--output", "run", processes=2)
    process = subprocess.Popen(
        words, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while updates_kept(tmp_path / "run") < 2:
        assert process.poll() is None
        time.sleep(0.005)
    ranks = [child for child in psutil.Process(process.pid).children() if "RANK" in child.environ()]
    ranks[-1].kill()
    said = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert sum(line.startswith("error: another process of the run died") for line in said.splitlines()) == 1
    assert not psutil.pid_exists(ranks[0].pid)
    assert sys.executable in words
