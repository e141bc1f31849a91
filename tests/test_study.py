"""benchmarks/study.py: means and paired differences of a study, from the files of its runs."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import pytest
from scipy.stats import t

from tests.comparison.runs import make_run

ROOT = Path(__file__).resolve().parents[1]
TOP1 = {"none": (40.0, 42.0, 41.0), "mixup": (44.0, 45.5, 46.0), "0.5*mixup | 0.5*skip": (43.0, 42.0, 44.5)}


def record(top1: float, split: str = "test") -> dict[str, object]:
    numbers = {"nll": 3 - top1 / 50, "ece": top1 / 1000}
    return {
        "model": {"sha256": "a" * 64},
        "data": {"dataset": "digits", "kind": "digits", "split": split, "samples": 10000},
        "input_size": [3, 32, 32],
        "accuracy": {"top1": top1},
        "calibration": numbers
        | {
            "bins": 15,
            "temperature_scaling": {"temperature": 2.0, "before": numbers, "after": {"ece": 0.01}},
        },
        "embedding": {"alignment": 1.0, "uniformity": -2.0, "class_spread": {"ratio": 1.5}},
        "attacks": {
            "samples": 10000,
            "steps": 1,
            "epsilons": [1 / 510, 1 / 255],
            "white_box": {"fgsm": [1.0, top1 / 2]},
        },
    }


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for number, (mix, results) in enumerate(TOP1.items()):
        for seed, top1 in enumerate(results):
            run = make_run(tmp_path / f"arm{number}" / f"seed{seed}", mix, seed, top1)
            evaluations = [record(1.0, "validation"), record(top1)]
            if seed == 2:
                evaluations[1]["corruptions"] = {"mean_top1": top1 - 10}
            (run / "evaluation.json").write_text(json.dumps({"evaluations": evaluations}))
    return tmp_path


def replace_labels(study: Path, learnt: float) -> None:
    """Make the runs of the first arm such with --label-noise."""
    noise = {
        "part": 0.4,
        "kind": "symmetric",
        "noisy_samples": 40,
        "clean_samples": 60,
        "noisy_top1": learnt,
    }
    for file in study.glob("arm0/*/summary.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"label_noise": noise}))


def call(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/study.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def interval(one: str, other: str, comparisons: int) -> str:
    """The mean difference and its interval by the formula of the paired t-test."""
    differences = [a - b for a, b in zip(TOP1[one], TOP1[other], strict=True)]
    half = t.ppf(1 - 0.05 / comparisons / 2, 2) * stdev(differences) / math.sqrt(3)
    mean = fmean(differences)
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def test_means_and_differences(study: Path) -> None:
    control = "0.5*mixup | 0.5*skip"
    done = call(study, "--comparisons", 2, "--contrast", "mixup", control, "--contrast", "mixup", "none")
    assert done.returncode == 0, done.stderr
    means, differences, contrasts = done.stdout.split("\n\n")
    assert [line.split(" | ")[0] for line in means.splitlines()[2:]] == [
        "| `mixup`",
        "| `0.5*mixup \\| 0.5*skip`",
        "| `none`",
    ]
    assert (
        "| `none` | 0 1 2 | 41.0 | 2.18 | 0.041 | 0.010 | 20.5 | 31.0 (seeds 2) | 1.00 | -2.00 | 1.50 |"
        in means.splitlines()
    )
    assert f"| `mixup` | {interval('mixup', 'none', 2)} | \u2013 |" in differences.splitlines()
    assert f"| {interval(control, 'none', 2)} | {interval(control, 'mixup', 2)} |" in differences
    plain, corrected = interval("mixup", control, 1), interval("mixup", "none", 2)
    assert f"| top-1, % | {plain} | {corrected} |" in contrasts.splitlines()
    assert "| mean top-1 under corruptions, % | +1.5 | +5.0 |" in contrasts.splitlines()
    assert f"| uniformity |{' +0.00 [+0.00, +0.00] |' * 2}" in contrasts.splitlines()


def test_runs_of_several_directories_and_a_choice_of_arms(study: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (study / "arm1").rename(tmp_path / "other/arm1")
    words = ("--arm", "mixup", "--reference", "none", "--contrast", "mixup", "none")
    done = call(study, tmp_path / "other", *words)
    assert done.returncode == 0, done.stderr
    means, differences, contrasts = done.stdout.split("\n\n")
    assert [line.split(" | ")[0] for line in means.splitlines()[2:]] == ["| `mixup`", "| `none`"]
    assert f"| `mixup` | {interval('mixup', 'none', 1)} |" in differences.splitlines()
    assert f"| top-1, % | {interval('mixup', 'none', 1)} |" in contrasts.splitlines()


def test_wrong_labels_have_a_column(study: Path) -> None:
    assert "learnt" not in call(study).stdout
    replace_labels(study, 62.5)
    head, _, *rows = call(study).stdout.split("\n\n")[0].splitlines()
    assert head.endswith("| wrong labels learnt, % |")
    assert [row.split(" | ")[-1] for row in rows] == ["\u2013 |", "\u2013 |", "62.5 |"]


def test_mistakes_are_one_line(study: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words, told in {
        (study, "--split", "train"): "must have one evaluation on split train, got 0",
        (study, "--reference", "cutmix"): "arms must be of mixup, 0.5*mixup | 0.5*skip, none, got cutmix",
        (tmp_path / "empty",): "DIRECTORY must hold runs",
    }.items():
        check_mistake(told, *words)
    shutil.copytree(study / "arm0", study / "arm9")
    check_mistake("is a second run of none with seed 0", study)
    (study / "arm0/seed0/evaluation.json").write_text("{")
    check_mistake("must have one evaluation on split test, got 0", study)


def check_mistake(told: str, *words: object) -> None:
    done = call(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
