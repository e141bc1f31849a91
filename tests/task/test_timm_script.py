"""examples/timm_train.patch: four lines make a script of timm's shape one that mixes, and resumes exactly."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from timm.task import ClassificationTask

from timm_multimix import MixTask

PATCH = Path(__file__).parents[2] / "examples" / "timm_train.patch"
SCRIPT = Path(__file__).with_name("timm_script.py")


def read_hunks():
    """The parts of the patch as pairs of text: what there is, and what replaces it."""
    hunks = re.split(r"^@@ .*\n", PATCH.read_text(), flags=re.MULTILINE)[1:]
    return [
        tuple(
            "".join(line[1:] + "\n" for line in hunk.splitlines() if line[:1] in signs)
            for signs in (" -", " +")
        )
        for hunk in hunks
    ]


def patched():
    """The script with the patch applied; every part of it must be found exactly once."""
    text = SCRIPT.read_text()
    for old, new in read_hunks():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    module = ModuleType("patched")
    exec(compile(text, "patched", "exec"), module.__dict__)
    return module


def states(task):
    return [
        value.clone()
        for module in (task.trainable_module, task.trainable_module_ema)
        for value in module.state_dict().values()
    ]


def test_it_changes_four_lines_and_adds_nothing_else():
    lines = PATCH.read_text().splitlines()
    added = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    removed = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    assert removed == ["task = ClassificationTask(", "criterion=train_loss_fn,"]
    assert added[0] == "from timm_multimix import MixTask"
    assert added[1] == "task = MixTask("
    assert re.fullmatch(r'mix=".*",', added[2])
    assert added[3:] == ["smoothing=args.smoothing, seed=args.seed,"]


@pytest.fixture
def script():
    return patched()


def test_a_resumed_run_ends_with_the_same_weights_and_average(script, tmp_path):
    whole = script.main(["--output", str(tmp_path / "whole"), "--epochs", "2"])
    assert isinstance(whole, MixTask)
    assert (whole.mixture.spec, whole.smoothing) == ("mixup(alpha=0.8) | multimix(m=4, p=1)", 0.1)
    script.main(["--output", str(tmp_path / "half"), "--epochs", "1"])
    resume = ["--resume", str(tmp_path / "half" / "last.pth.tar")]
    resumed = script.main(["--output", str(tmp_path / "rest"), "--epochs", "2", *resume])
    assert resumed.step == whole.step == 8
    for ours, theirs in zip(states(resumed), states(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_the_script_itself_does_not_mix(tmp_path):
    from tests.task import timm_script

    task = timm_script.main(["--output", str(tmp_path), "--epochs", "1"])
    assert isinstance(task, ClassificationTask)
