"""Paths that .ci/run, the Makefile and the workflows name exist: no renamed tests are left out silently."""

import re
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [ROOT / ".ci/run", ROOT / "Makefile"]


def expand(word: str) -> list[str]:
    """A shell word with its braces expanded."""
    parts = re.split(r"\{([^{}]*)\}", word)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def test_paths_and_modules_exist() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    paths = [path for word in re.findall(r"(?<![\w/])tests/[\w{},/*.]*", text) for path in expand(word)]
    modules = re.findall(r"-m ((?:tests|benchmarks)[\w.]*)", text)
    assert len(paths) > 5
    assert len(modules) > 3
    assert [path for path in paths if not list(ROOT.glob(path))] == []
    files = [ROOT / module.replace(".", "/") for module in modules]
    assert [file for file in files if not (file.with_suffix(".py").exists() or file.is_dir())] == []


def test_the_workflow_runs_the_parts_of_the_script() -> None:
    parts = re.search(r"^parts=\((.*)\)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    workflow = (ROOT / ".github/workflows/tests.yml").read_text()
    matrix = re.search(r"^ +part: \[(.*)\]$", workflow, re.MULTILINE)
    assert parts
    assert matrix
    assert matrix[1].split(", ") == parts[1].split()
