"""The README's claims: its Python runs as written, its commands are accepted by the parsers."""

import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import timm

from timm_multimix.mixers import create_mixer
from timm_multimix.options import parse_train_options
from timm_multimix.options.comparison import parse_comparison_options
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.parser import parse
from timm_multimix.options.prediction import PredictOptions
from timm_multimix.options.preview import PreviewOptions

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PARSERS = {
    "train": parse_train_options,
    "evaluate": partial(parse, EvaluateOptions),
    "compare": parse_comparison_options,
    "predict": partial(parse, PredictOptions),
    "preview": partial(parse, PreviewOptions),
}


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for kind, text in fenced if kind == language]


def commands() -> list[str]:
    """The command lines of the blocks without a language, continued lines joined, choices taken first."""
    lines = "\n".join(blocks("")).replace("\\\n", " ").splitlines()
    lines = [line.split("&&")[-1].partition("  #")[0].strip() for line in lines]
    found = [line for line in lines if line.startswith(("timm-multimix ", "accelerate launch "))]
    return [re.sub(r"\[(.*?)( \| .*?)?\]", r"\1", line) for line in found]


def test_the_python_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    model = timm.create_model("test_resnet", num_classes=10)
    timm.models.save_for_hf(model, str(tmp_path / "runs/MINE/model"), safe_serialization=True)
    program = "\n".join(blocks("python"))
    assert program.count("import") >= 5
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr


def test_there_are_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("line", commands())
def test_a_command_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)
    words = ["train", *words[words.index("train.py") + 1 :]] if "train.py" in words else words[1:]
    if words[0] == "push":
        assert len(words) == 3
    else:
        PARSERS[words[0]](words[1:])


@pytest.mark.parametrize("spec", re.findall(r"^\| `([^`]+\)?)` +\|", TEXT, re.MULTILINE))
def test_a_spec_of_the_tables_is_one(spec: str) -> None:
    create_mixer(spec.replace("\\|", "|"))
