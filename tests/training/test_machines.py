"""Launchers of several machines, here on one, join one run."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.slow
def test_two_launchers_train_one_run(quick: list[str], tmp_path: Path) -> None:
    """As docs/several_machines.md says, with a process each."""
    words = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2"]
    words += [
        "--num_processes",
        "2",
        "--main_process_ip",
        "127.0.0.1",
        "--main_process_port",
        str(free_port()),
    ]
    options = [
        "--module",
        "timm_multimix",
        "train",
        *quick,
        "--mix",
        "multimix(gather=True)",
        "--output",
        "run",
    ]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    launchers = [
        subprocess.Popen(
            [*words, "--machine_rank", str(rank), *options],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    output = [launcher.communicate(timeout=240)[0] for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0, 0], output
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["num_processes"] == 2
    assert summary["samples_evaluated"] == 13
    assert "top-1" in output[0]
