"""The examples, run as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "floor"),
    [("tabular.py", 90.0), ("spectrograms.py", 45.0)],
)
def test_prints_what_each_spec_reaches(name, floor, tmp_path):
    """From another folder, well above chance (50 and 20 per cent) for every spec."""
    script = EXAMPLES / name
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    scores = [float(value) for value in re.findall(r"([\d.]+)$", run.stdout, re.MULTILINE)]
    assert len(scores) == 3
    assert min(scores) > floor
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tabular.py", "spectrograms.py"])
def test_fits_a_page(name):
    assert len((EXAMPLES / name).read_text().splitlines()) < 80
