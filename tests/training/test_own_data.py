"""Data as people have them, from training to evaluation."""

import json
from pathlib import Path

from timm_multimix.evaluation import run as evaluate
from timm_multimix.options.evaluation import parse_evaluation_options

from .helpers import Train, launch, outcome


def test_held_out_images_are_the_same_in_every_process_resumed_and_evaluated(
    train: Train, pictures: Path, quick: list[str], tmp_path: Path
) -> None:
    options = ["--dataset", pictures / "train", *quick[2:], "--val-split", 0.25]
    summary = train(*options, "--output", "run", "--checkpoint-interval", 2)
    assert (summary["train_split"], summary["evaluation_split"]) == ("all", "0.25 of all")
    assert (summary["train_samples"], summary["samples_evaluated"]) == (33, 11)
    assert summary["data"]["held_out"] == {"fraction": 0.25, "seed": 0}

    train("--resume", "run/checkpoints/step-00000006", "--output", "again")
    assert outcome(tmp_path / "again") == outcome(tmp_path / "run")

    done = launch(*options, "--epochs", 1, "--seed", 3, "--output", "two", cwd=tmp_path, processes=2)
    assert done.returncode == 0, done.stderr
    two = json.loads(Path("two/summary.json").read_text())
    assert (two["train_samples"], two["samples_evaluated"]) == (33, 11)

    for dataset in ([], ["--dataset", str(pictures / "train")]):
        evaluate(parse_evaluation_options(["run", *dataset, "--output", "found.json"]))
        found = json.loads(Path("found.json").read_text())
        assert (found["data"]["split"], found["data"]["samples"]) == ("0.25 of all", 11)
        assert found["accuracy"]["top1"] == summary["top1"]
