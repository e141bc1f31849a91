"""Finished runs, made by hand: the files that a comparison reads."""

import csv
import json
from pathlib import Path
from typing import Any

from timm_multimix.options import parse_train_options
from timm_multimix.options.config import options_to_yaml

VERSIONS = {"timm_multimix": "0.1.0", "commit": "a" * 40}


def make_run(
    directory: Path, mix: str, seed: int, top1: float, *options: str, dataset: str = "digits", **changes: Any
) -> Path:
    """A run directory of three epochs that ends at `top1`, half a point below its best epoch, the second."""
    directory.mkdir(parents=True)
    model, epochs = changes.get("model", "test_resnet"), changes.get("epochs", 3)
    words = ["--mix", mix, "--seed", seed, "--epochs", epochs, "--dataset", dataset, "--model", model]
    words += ["--opt", "sgd", "--lr", 0.2]  # which a run of this model records where nobody chose
    (directory / "config.yaml").write_text(options_to_yaml(parse_train_options([*map(str, words), *options])))
    summary: dict[str, Any] = {
        "mix": mix,
        "model": model,
        "base_model": None,
        "dataset": dataset,
        "dataset_kind": "digits",
        "epochs": epochs,
        "seed": seed,
        "num_processes": 1,
        "samples_evaluated": 360,
        "top1": top1,
        "top1_best": top1 + 0.5,
        "best_epoch": 2,
        "exported_weights": "raw",
        "evaluation_split": "test",
        "best_chosen_on_test_split": True,
        "results": {
            kind: {"loss": 0.5, "top1": top1, "top5": 100.0, "samples": 360} for kind in ("raw", "ema")
        },
        "train_split": "train",
        "train_samples": 1437,
        "classes": 10,
        "parameters": 1000,
        "device": "cpu",
        "hardware": "CPU",
        "mixed_precision": "no",
        "train_seconds": 20.0,
        "images_per_second": 200.0,
        "command": "timm-multimix train",
        "versions": VERSIONS,
    }
    summary |= changes
    (directory / "summary.json").write_text(
        json.dumps({name: value for name, value in summary.items() if value is not ...})
    )
    with (directory / "metrics.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["epoch", "eval_top1", "ema_top1"])
        writer.writeheader()
        for epoch, gap in enumerate([10.0, -0.5, *[0.0] * epochs][:epochs], 1):
            writer.writerow({"epoch": epoch, "eval_top1": top1 - gap, "ema_top1": top1 - gap + 1})
    return directory


def make_grid(root: Path, accuracies: dict[str, list[float]], **changes: Any) -> list[Path]:
    """A run for each mix and each of its accuracies, whose places are the seeds."""
    return [
        make_run(root / f"{number}-seed{seed}", mix, seed, top1, **changes)
        for number, (mix, values) in enumerate(accuracies.items())
        for seed, top1 in enumerate(values)
    ]
