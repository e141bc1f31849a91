"""Inputs found by the lines that they reach are understood or refused, too."""

import re
import secrets
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .effort import TIMES

RUNS = {
    "specs": 20_000,
    "schedules": 20_000,
    "options": 5000,
    "configs": 3000,
    "records": 3000,
    "cards": 500,
}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no build for this Python or machine")
@pytest.mark.parametrize("target", RUNS)
def test_nothing_breaks(target: str, tmp_path: Path) -> None:
    runs, seed = int(RUNS[target] * TIMES), 1 if TIMES <= 1 else secrets.randbelow(2**31)
    command = [sys.executable, "-m", "tests.fuzz.guided", target, str(runs), str(tmp_path), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300 * max(1, TIMES))
    assert done.returncode == 0, done.stderr[-3000:]
    counted = re.search(r"Done (\d+) runs", done.stderr)  # a few more where it is amid a round of mutations
    assert counted is not None, done.stderr[-3000:]
    assert int(counted[1]) >= runs
