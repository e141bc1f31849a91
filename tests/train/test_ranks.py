"""Two processes on CPUs."""

import json
from pathlib import Path

from .helpers import launch


def test_two_processes_share_weights_and_the_evaluation(quick: list[str], tmp_path: Path) -> None:
    more = ["--mix", "none|mixup|multimix(n=20)", "--model-ema", "--output", "run"]
    done = launch(*quick, *more, processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["num_processes"] == 2
    assert summary["samples_evaluated"] == 13
    assert summary["parameters_equal_on_ranks"]
    assert summary["choices_equal_on_ranks"]
    assert summary["draws_differ_on_ranks"]
    assert done.stdout.count("top-1") == 1


def test_a_mistake_is_told_once(quick: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").touch()
    done = launch(*quick, "--output", "run", processes=2, cwd=tmp_path)
    assert done.returncode != 0
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]
