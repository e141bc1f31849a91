"""The exported directory is an ordinary timm model, and the one that was evaluated."""

import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file

from .helpers import Train, evaluate_plainly


@pytest.mark.parametrize(
    "more",
    [
        "--model test_resnet --mix multimix(n=20)",
        "--model test_vit --mix manifold_mixup --channels-last",
        "--model test_byobnet --model-ema --model-ema-decay 0.5 --mean 0.1 0.2 0.3 --std 0.5 --crop-pct 0.8",
        "--model test_resnet --model-ema --export-weights raw --interpolation bilinear",
    ],
)
def test_timm_gives_the_evaluated_results(
    more: str, train: Train, quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    summary = train(*quick, *more.split(), "--output", "run")
    result = summary["results"][summary["exported_weights"]]
    loss, top1 = evaluate_plainly(tmp_path / "run/model", pictures)
    assert (result["loss"], result["top1"]) == pytest.approx((loss, top1), rel=1e-6)


def test_the_config_describes_this_model_and_no_other(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--epochs", 1, "--mix", "mixup | cutmix", "--output", "run")
    files = {path.name for path in (tmp_path / "run/model").iterdir()}
    assert files == {"config.json", "model.safetensors"}
    config = json.loads((tmp_path / "run/model/config.json").read_text())
    assert config["num_classes"] == 3
    assert "num_classes" not in config["model_args"]
    assert config["label_names"] == ["colour0", "colour1", "colour2"]
    assert config["pretrained_cfg"]["tag"] == "mixup_cutmix"
    assert not {"license", "paper_ids", "url", "hf_hub_id"} & set(config["pretrained_cfg"])


def test_the_best_weights_are_kept(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--output", "run", "--epochs", 3)
    facts = json.loads((tmp_path / "run/checkpoints/best/facts.json").read_text())
    assert facts == {"epoch": summary["best_epoch"], "top1": summary["top1_best"]}
    directory = tmp_path / "run/checkpoints/best"
    weights = timm.create_model(f"local-dir:{directory}", pretrained=True).state_dict()
    stored = load_file(directory / "model.safetensors")
    assert all(torch.equal(weights[name], stored[name]) for name in stored)


def test_fine_tuning_replaces_the_head(
    train: Train, quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    train(*quick, "--epochs", 1, "--output", "first")
    for split in ("train", "val"):
        for colour in ("colour0", "colour1"):
            shutil.copytree(pictures / split / colour, tmp_path / "data" / split / colour)
    start = ["--model", f"local-dir:{tmp_path}/first/model", "--pretrained"]
    gently = ["--dataset", "data", "--epochs", 1, "--lr", 1e-9, "--sched", "none"]
    assert train(*quick, *gently, *start, "--output", "second")["classes"] == 2
    first, second = (load_file(tmp_path / run / "model/model.safetensors") for run in ("first", "second"))
    assert second["fc.weight"].shape[0] == 2
    assert torch.allclose(first["conv1.0.weight"], second["conv1.0.weight"], atol=1e-6)
