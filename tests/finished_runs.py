"""Finished runs made without training, and records with any values."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models._hub import save_config_for_hf

from tests.fakehub.environment import hub_environment
from tests.fakehub.server import TOKEN, HubServer
from timm_multimix.hub.record import Record, make_record
from timm_multimix.options import options_to_yaml, parse_train_options
from timm_multimix.records.provenance import versions

COLOURS = ["red", "green", "blue"]
MIX = "0.3*none | 0.7*multimix(n=50, m=4)"


def run_command(
    server: HubServer, directory: Path, *argv: object, token: str | None = TOKEN, processes: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run `timm-multimix` in a process of its own, in a directory that has its cache; its Hub is `server`."""
    several = f"-m torch.distributed.run --standalone --nproc_per_node {processes}".split()
    words = [sys.executable, *(several if processes > 1 else ()), "-m", "timm_multimix", *map(str, argv)]
    environment = hub_environment(server, directory / "home", token) | {"ACCELERATE_USE_CPU": "true"}
    return subprocess.run(words, env=environment, cwd=directory, capture_output=True, text=True, timeout=300)


def make_pictures(root: Path, classes: int) -> Path:
    """A directory of class directories `shade0` ..., four training and two evaluation images of each."""
    for split, count in (("train", 4), ("val", 2)):
        for label in range(classes):
            directory = root / split / f"shade{label}"
            directory.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (32, 32), (25 * label, number, 0)).save(directory / f"{number}.png")
    return root


def make_summary(options: Any, classes: list[str], rows: list[dict[str, float]]) -> dict[str, Any]:
    """The content of a summary.json."""
    best = max(rows, key=lambda row: row["eval_top1"])
    result = {"loss": rows[-1]["eval_loss"], "top1": rows[-1]["eval_top1"], "top5": 100.0, "samples": 13}
    return {
        "mix": options.mixing.mix,
        "model": options.network.model,
        "base_model": None,
        "dataset": options.data.dataset,
        "dataset_kind": "folder",
        "epochs": options.optimization.epochs,
        "seed": options.run.seed,
        "num_processes": 1,
        "samples_evaluated": 13,
        "top1": result["top1"],
        "top1_best": best["eval_top1"],
        "best_epoch": int(best["epoch"]),
        "exported_weights": "raw",
        "evaluation_split": "val",
        "best_chosen_on_test_split": False,
        "results": {"raw": result},
        "train_split": "train",
        "train_samples": 44,
        "classes": len(classes),
        "parameters": 373658,
        "device": "cpu",
        "hardware": "CPU",
        "mixed_precision": "no",
        "train_seconds": 61.0,
        "images_per_second": 700.0,
        "command": f"train.py --mix '{options.mixing.mix}' --dataset {options.data.dataset} "
        f"--epochs {options.optimization.epochs}",
        "versions": versions(),
    }


def make_model(
    directory: Path, classes: list[str], architecture: str = "test_resnet", channels: int = 3, **more: Any
) -> None:
    """An untrained model as a run exports it."""
    directory.mkdir(parents=True)
    torch.manual_seed(len(classes))
    model = timm.create_model(architecture, num_classes=len(classes), in_chans=channels)
    size = {"input_size": (channels, 32, 32)}
    about = {"label_names": classes, "pretrained_cfg": {"tag": "none"}}
    save_config_for_hf(model, str(directory / "config.json"), model_config=about, data_config=size)
    config = json.loads((directory / "config.json").read_text())
    config["model_args"].pop("num_classes")
    config["pretrained_cfg"].pop("license")  # of the network, not of these weights
    config["pretrained_cfg"] |= more
    (directory / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), directory / "model.safetensors", metadata={"format": "pt"})


CHOSEN = ("--opt", "sgd", "--lr", "0.2")
"""What a run of its model records where nobody chose."""


def make_run(
    run: Path, classes: list[str] = COLOURS, *argv: str, epochs: int = 3, **changes: Any
) -> dict[str, Any]:
    """Write a finished run of two epochs (`changes` to its summary); gives the summary."""
    options = parse_train_options(
        ["--dataset", "/data/pictures", "--mix", MIX, "--epochs", str(epochs), *CHOSEN, *argv]
    )
    rows = [
        {"epoch": n, "eval_loss": 1 / n, "eval_top1": min(30.0 * n, 60.0), "eval_top5": 100.0}
        for n in range(1, epochs + 1)
    ]
    make_model(run / "model", classes)
    shutil.copytree(run / "model", run / "checkpoints" / "best")
    with (run / "metrics.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (run / "config.yaml").write_text(options_to_yaml(options))
    (run / "curves.png").write_bytes(b"\x89PNG curves")
    summary = make_summary(options, classes, rows) | changes
    (run / "summary.json").write_text(json.dumps(summary))
    return summary


def run_record(directory: Path, classes: list[str] = COLOURS, **changes: Any) -> Record:
    """The record of a made run."""
    summary = make_run(directory, classes, **changes)
    return make_record(directory, directory / "model", summary, summary["epochs"], summary["top1"])
