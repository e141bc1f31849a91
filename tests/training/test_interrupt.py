"""SIGTERM and SIGINT end a run after a checkpoint, with one line, and it resumes to the same bits."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from timm_multimix.data.workers import leave_signals_to_the_run
from timm_multimix.errors import Interrupted
from timm_multimix.options import parse_train_options
from timm_multimix.training import interrupt as module
from timm_multimix.training.interrupt import Interrupt

from .helpers import Train, command, outcome, updates_kept

Training = importlib.import_module("timm_multimix.training.run").Training  # `run` is the function in it
RECIPE = ["--mix", "mixup|multimix(n=20)", "--model-ema", "--epochs", "8"]


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Tests in the background of a shell start with SIGINT ignored, which a run keeps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def send_at(phase: str, occurrence: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal at the n-th call of a function of `run`."""
    place = importlib.import_module("timm_multimix.training.run")  # the package's `run` is the function in it
    original, calls = getattr(place, phase), []

    def sending(*arguments: object, **options: object) -> object:
        calls.append(phase)
        if len(calls) == occurrence:
            os.kill(os.getpid(), number)
        return original(*arguments, **options)

    monkeypatch.setattr(place, phase, sending)


@pytest.mark.parametrize(
    ("phase", "kept", "number"),
    [
        ("train_epoch", 6, signal.SIGTERM),
        ("evaluate", 10, signal.SIGTERM),
        ("evaluate", 10, signal.SIGINT),
        ("save_checkpoint", 11, signal.SIGTERM),
    ],
)
def test_a_signal_saves_at_the_next_step_and_the_run_resumes(
    phase: str,
    kept: int,
    number: int,
    train: Train,
    quick: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the second epoch of three, of five updates each."""
    options = [*quick, "--epochs", 3, "--mix", "mixup|multimix(n=20)", "--output", "run", "--resume", "auto"]
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        send_at(phase, 2, number, patch)
        with pytest.raises(Interrupted, match="resume with --resume auto --output run") as caught:
            train(*options)
    assert caught.value.status == 128 + number
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert updates_kept(tmp_path / "run") == kept
    train(*options)
    train(*options[:-4], "--output", "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_signal_before_training_leaves_nothing(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_at("build", 1, signal.SIGTERM, monkeypatch)
    with pytest.raises(Interrupted, match="training had not begun"):
        train(*quick, "--output", "run")
    assert not list(tmp_path.iterdir())


def test_the_advice_has_the_options_of_the_hub() -> None:
    """They are not recorded, so a run that is resumed without them would not be published."""
    interrupt = Interrupt()
    options = parse_train_options(["--push-to-hub", "--hub-model-id", "me/net"])
    part = SimpleNamespace(interrupt=interrupt, directory=Path("run"), setup=SimpleNamespace(options=options))
    Training.advise(part)
    assert interrupt.advice == "resume with --resume auto --output run --push-to-hub --hub-model-id me/net"


def test_signals_close_together_count_as_one() -> None:
    def two_signals(interrupt: Interrupt) -> None:
        with interrupt.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.number == signal.SIGTERM

    with Interrupt() as interrupt, pytest.raises(Interrupted):
        two_signals(interrupt)


def start(code: str) -> subprocess.Popen[str]:
    """Run a script, and wait for its first line."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code], **pipes)  # type: ignore[call-overload]
    assert process.stdout
    process.stdout.readline()
    return process


STUCK = """
import time
from timm_multimix.training import interrupt
interrupt.GRACE = {grace}
with interrupt.Interrupt() as one, one.deferred():
    one.advice = "go on"
    print("ready", flush=True)
    time.sleep(60)
"""


def test_the_grace_is_bounded() -> None:
    process = start(STUCK.format(grace=0.5))
    began = time.monotonic()
    process.terminate()
    assert process.wait(20) == 143
    assert 0.4 < time.monotonic() - began < 10
    assert process.stderr
    assert process.stderr.read().count("\n") == 1


def test_a_second_signal_ends_at_once() -> None:
    process = start(STUCK.format(grace=50))
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr
    assert process.stderr.read() == "ended at once by a second SIGINT, from the last checkpoint on: go on\n"


def test_the_grace_waits_for_a_checkpoint_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the process would have ended here."""
    monkeypatch.setattr(module, "GRACE", 0.1)

    def write_slowly(interrupt: Interrupt) -> None:
        with interrupt.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            with interrupt.save():
                time.sleep(1.5)

    with Interrupt() as interrupt, pytest.raises(Interrupted):
        write_slowly(interrupt)


WORKER = """
import os, signal, sys, time
from timm_multimix.data.workers import leave_signals_to_the_run
child = os.fork()
if not child:
    leave_signals_to_the_run(0)
    print("ready", flush=True)
    time.sleep(60)
sys.stdin.read(1)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_only_the_run_itself_ends_its_workers() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", WORKER], **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == "ready\n"
    worker = psutil.Process(process.pid).children()[0]
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    time.sleep(0.3)
    assert worker.is_running()
    assert worker.status() != psutil.STATUS_ZOMBIE
    assert process.communicate("x", timeout=20)[0] == "0\n"
    assert leave_signals_to_the_run.__doc__


Send = Callable[[psutil.Process], None]


def to_group(number: int) -> Send:
    """Signal the run's process and its workers at once, as a terminal or a cluster does."""
    return lambda process: os.killpg(process.pid, number)


def to_launcher(number: int) -> Send:
    return lambda process: process.send_signal(number)


def to_one_rank(number: int) -> Send:
    """The other processes must stop at the same step."""

    def send(process: psutil.Process) -> None:
        ranks = [child for child in process.children() if "timm_multimix" in " ".join(child.cmdline())]
        max(ranks, key=lambda child: int(child.environ()["RANK"])).send_signal(number)

    return send


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "workers", "send", "status"),
    [
        (1, 2, to_group(signal.SIGTERM), 143),
        (1, 2, to_group(signal.SIGINT), 130),
        (2, 0, to_launcher(signal.SIGTERM), None),
        (2, 2, to_one_rank(signal.SIGTERM), None),
    ],
    ids=["group-TERM", "group-INT", "launcher", "one rank"],
)
def test_preemption_of_real_processes(
    processes: int, workers: int, send: Send, status: int | None, quick: list[str], tmp_path: Path
) -> None:
    options = [*quick, *RECIPE, "--workers", workers]
    again = [*options, "--output", "run", "--resume", "auto"]
    words, environment = command(*again, processes=processes)
    process = subprocess.Popen(
        words,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while updates_kept(tmp_path / "run") == 0:
        assert process.poll() is None
        time.sleep(0.005)
    send(psutil.Process(process.pid))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == (process.returncode if status is None else status) != 0, said
    name = "SIGINT" if status == 130 else "SIGTERM"
    line = f"interrupted by {name}; resume with --resume auto --output run"
    assert said.count(line) == 1, said
    if status:
        assert said == line + "\n"
    total = 8 * (5 if processes == 1 else 2)
    assert 0 < updates_kept(tmp_path / "run") < total
    for output in ("run", "whole"):
        words, environment = command(*options, "--output", output, "--resume", "auto", processes=processes)
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_one_thread_is_left_after_a_run(train: Train, quick: list[str]) -> None:
    """The thread that watches for signals ends with the run."""
    import threading

    before = set(threading.enumerate())
    train(*quick, "--epochs", 1, "--output", "run")
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "signals" not in left
    assert torch.get_num_threads() == 1
