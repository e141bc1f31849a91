"""The command in separate processes, on trained runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.helpers import launch

pytestmark = pytest.mark.slow

EVALUATE = ("-m", "timm_multimix", "evaluate")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two runs of two epochs on digits."""
    directory = tmp_path_factory.mktemp("trained")
    for seed in (1, 2):
        done = launch("--epochs", 2, "--workers", 0, "--seed", seed, "--output", f"run{seed}", cwd=directory)
        assert done.returncode == 0, done.stderr
    return directory


def test_all_parts_of_a_trained_run(trained: Path) -> None:
    parts = "--attacks --epsilons 2/255 8/255 32/255 --attack-steps 5 --transfer-from run2 --ood digits"
    parts += " --corruptions --consistency mixup none --embedding-plot plot.png --workers 0"
    done = launch("run1", *parts.split(), cwd=trained, program=EVALUATE)
    assert done.returncode == 0, done.stderr
    found = json.loads((trained / "run1/evaluation.json").read_text())["evaluations"][0]
    summary = json.loads((trained / "run1/summary.json").read_text())
    assert found["accuracy"]["top1"] == pytest.approx(summary["top1"])
    assert found["accuracy"]["top5"] == pytest.approx(summary["results"]["raw"]["top5"])
    assert found["calibration"]["nll"] == pytest.approx(summary["results"]["raw"]["loss"], rel=1e-6)
    attacks = found["attacks"]
    assert attacks["clean_top1"] == found["accuracy"]["top1"] > 60
    for method, row in attacks["white_box"].items():
        levels = [attacks["clean_top1"], *row]
        assert levels == sorted(levels, reverse=True)
        assert row[-1] < attacks["transfer"]["top1"][method][-1]
    assert attacks["white_box"]["ifgsm"][-1] <= attacks["white_box"]["fgsm"][-1]
    for scores in found["ood"][0]["scores"].values():
        assert scores["auroc"] == pytest.approx(50)
    assert found["consistency"][0]["kl"] > 0.01
    assert found["consistency"][1]["kl"] == pytest.approx(0, abs=1e-6)
    assert found["embedding"]["class_spread"]["ratio"] < 2
    assert (trained / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "Top-1 under attack (360 images)" in done.stdout
    assert "white box, fgsm  " in done.stdout
    assert "white box, ifgsm of 5 steps  " in done.stdout
    assert done.stderr == ""


def test_the_card_of_the_run_has_it(trained: Path) -> None:
    assert launch("run2", cwd=trained, program=EVALUATE).returncode == 0
    push = ("-m", "timm_multimix", "push")
    done = launch("run2", "tester/net", "--dry-run", "card", cwd=trained, program=push)
    assert done.returncode == 0, done.stderr
    card = (trained / "card/README.md").read_text()
    assert "## Evaluation" in card
    assert "timm_multimix evaluate run2" in card
    assert "evaluations" in json.loads((trained / "card/record.json").read_text())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--device", "cpu"], "the following arguments are required: MODEL"),
        (["run1", "--attacks", "--epsilons", "9"], "got '9'"),
        (["nowhere"], "unknown model 'nowhere'"),
    ],
)
def test_mistakes_on_the_real_command_line(argv: list[str], said: str, trained: Path) -> None:
    done = launch(*argv, cwd=trained, program=EVALUATE)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert done.stdout == ""


def test_a_launcher_is_refused_in_one_line(trained: Path) -> None:
    done = launch("run1", cwd=trained, program=EVALUATE, processes=2)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert told == ["error: evaluate works in one process, but 2 were launched; start it without a launcher"]


def test_options_are_read_without_loading_torch() -> None:
    code = (
        "import sys; from timm_multimix.cli import main; "
        "main(['evaluate', 'x', '--attack-steps', '0']); print([*sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.startswith("error: --attack-steps")
    assert "'torch'" not in done.stdout


def test_a_run_that_is_replaced_loses_its_evaluation(trained: Path) -> None:
    (trained / "run2/evaluation.json").touch()
    again = ["--epochs", 1, "--workers", 0, "--output", "run2", "--overwrite"]
    assert launch(*again, cwd=trained).returncode == 0
    assert not (trained / "run2/evaluation.json").exists()
