"""Inputs found by the lines that they reach are understood or refused, too."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from .effort import TIMES

RUNS = {"specs": 2000, "schedules": 2000, "options": 1000, "configs": 1000, "records": 1000, "cards": 200}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no build for this Python or machine")
@pytest.mark.parametrize("target", RUNS)
def test_nothing_breaks(target: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.guided", target, str(int(RUNS[target] * TIMES))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300 * max(1, TIMES))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr, done.stderr[-3000:]
