"""Benchmarks that are not in the GPU kit run at tiny sizes and keep their results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
END_TO_END = "--images 32 --batch-size 16 --workers 0 --model test_resnet"
GUIDED = "--model test_resnet --size 96 --batch-size 4 --classes 4 --positions 3"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [("end_to_end", END_TO_END), ("guided", GUIDED), ("start", "")])
def test_it_measures(name: str, words: str, tmp_path: Path) -> None:
    command = [sys.executable, f"benchmarks/{name}.py", *words.split(), "--threads", "1", "--repeats", "1"]
    environment = os.environ | {"MULTIMIX_RESULTS": str(tmp_path)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    (file,) = tmp_path.glob("*.json")
    rows = json.loads(file.read_text())["rows"]
    assert rows
    assert all(value > 0 for row in rows for value in row.values() if isinstance(value, float))
