"""Data in users' own forms, from training to evaluation."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.metrics import average_precision_score

from timm_multimix.errors import UsageError
from timm_multimix.evaluation import run as evaluate
from timm_multimix.hub.card import make_card
from timm_multimix.hub.record import read_run
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.parser import parse
from timm_multimix.options.preview import PreviewOptions
from timm_multimix.previews.examples import load_examples

from .helpers import Train, call, launch, outcome

pytestmark = pytest.mark.usefixtures("drawn_curves")


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
        found = evaluate(parse(EvaluateOptions, ["run", *dataset]))
        assert (found["data"]["split"], found["data"]["samples"]) == ("0.25 of all", 11)
        assert found["accuracy"]["top1"] == summary["top1"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """40 images of one to three of the colours red, green and blue, by name, by flag and by brightness."""
    root, generator = tmp_path / "data", np.random.default_rng(0)
    root.mkdir()
    rows = []
    for number in range(40):
        flags = [number >> bit & 1 for bit in range(3)]
        pixels = generator.integers(0, 60, (32, 32, 3)) + 180 * np.array(flags)
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{number}.png")
        colours = [name for name, flag in zip(COLOURS, flags, strict=True) if flag]
        rows.append({"path": f"{number}.png", "colours": colours, "bright": sum(flags) / 3 + 0.01})
        rows[-1] |= dict(zip(COLOURS, flags, strict=True))
    lines = [json.dumps(row) + "\n" for row in rows]
    (root / "train.jsonl").write_text("".join(lines[:30]))
    (root / "test.jsonl").write_text("".join(lines[30:]))
    return root


COLOURS = ("red", "green", "blue")


def rows_of(run: str) -> list[dict[str, str]]:
    with open(Path(run) / "metrics.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predictions(run: Path, table: Path) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Outputs of an exported model for the test images, loaded and preprocessed by plain timm."""
    model = timm.create_model(f"local-dir:{run}/model", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    rows = [json.loads(line) for line in (table / "test.jsonl").read_text().splitlines()]
    images = [transform(Image.open(table / row["path"]).convert("RGB")) for row in rows]
    with torch.no_grad():
        return model(torch.stack(images)).double(), rows


QUICK = (
    *["--img-size", "32", "--batch-size", "8", "--workers", "0", "--crop-padding", "2"],
    *["--opt", "adamw", "--lr", "0.003"],
)


@pytest.mark.parametrize("columns", ["colours", "red,green,blue"])
def test_several_labels_an_image(columns: str, train: Train, table: Path, tmp_path: Path) -> None:
    options = ["--dataset", table, "--label-column", columns, *QUICK, "--mix", "mixup | multimix(n=20)"]
    summary = train(*options, "--epochs", 4, "--output", "run")
    logits, rows = predictions(Path("run"), table)
    names = json.loads(Path("run/model/config.json").read_text())["label_names"]
    assert sorted(names) == sorted(COLOURS)
    targets = torch.tensor([[row[name] for name in names] for row in rows], dtype=torch.float64)
    expected = 100 * average_precision_score(targets.numpy(), logits.numpy())
    assert summary["task"] == "multi-label"
    assert "top1" not in summary
    assert summary["map"] == pytest.approx(expected)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).item()
    assert summary["results"]["raw"] == {"loss": pytest.approx(loss), "map": summary["map"], "samples": 10}

    curve = [float(row["eval_map"]) for row in rows_of("run")]
    assert summary["map_best"] == pytest.approx(max(curve))
    assert summary["best_epoch"] == 1 + curve.index(max(curve))
    assert summary["map"] > 60  # learnt something: by chance it is about half

    found = evaluate(parse(EvaluateOptions, ["run"]))
    assert found["accuracy"] == {"map": pytest.approx(summary["map"])}
    assert "calibration" not in found
    with pytest.raises(UsageError, match="--corruptions is for one class an image"):
        evaluate(parse(EvaluateOptions, ["run", "--corruptions"]))
    card = make_card(read_run(Path("run"))[0], "me/colours")
    assert "A multi-label image classifier" in card
    assert f"**Result of these weights:** {summary['map']:.2f} % mAP" in card
    assert "type: mean_average_precision" in card
    found_by_predict = describe_predictions("run", table / "33.png")
    shares = {row["class"]: row["probability"] for row in found_by_predict["classes"]}
    assert shares == pytest.approx(dict(zip(names, logits[3].sigmoid().tolist(), strict=True)), abs=1e-5)


def test_numbers(train: Train, table: Path, tmp_path: Path) -> None:
    options = ["--dataset", table, "--label-column", "bright", *QUICK, "--mix", "mixup | multimix(n=20)"]
    summary = train(*options, "--epochs", 4, "--output", "run", "--checkpoint-interval", 3)
    outputs, rows = predictions(Path("run"), table)
    targets = torch.tensor([[row["bright"]] for row in rows], dtype=torch.float64)
    assert outputs.shape == (10, 1)
    assert summary["task"] == "regression"
    assert summary["mae"] == pytest.approx((outputs - targets).abs().mean().item())
    assert summary["results"]["raw"]["loss"] == pytest.approx((outputs - targets).square().mean().item())
    curve = [float(row["eval_mae"]) for row in rows_of("run")]
    assert summary["mae_best"] == pytest.approx(min(curve))
    assert summary["best_epoch"] == 1 + curve.index(min(curve))

    train("--resume", "run/checkpoints/step-00000009", "--output", "again")
    assert outcome(tmp_path / "again") == outcome(tmp_path / "run")
    done = launch(*options, "--epochs", 1, "--output", "two", cwd=tmp_path, processes=2)
    assert done.returncode == 0, done.stderr
    two = json.loads(Path("two/summary.json").read_text())
    outputs = predictions(Path("two"), table)[0]
    assert two["mae"] == pytest.approx((outputs - targets).abs().mean().item())

    found = evaluate(parse(EvaluateOptions, ["run"]))
    assert found["accuracy"] == {"mae": pytest.approx(summary["mae"])}
    card = make_card(read_run(Path("run"))[0], "me/bright")
    assert "An image regression model" in card
    assert "pipeline_tag" not in card
    assert "- image-regression" in card
    assert f"**Result of these weights:** {summary['mae']:.4f} MAE" in card
    values = describe_predictions("run", table / "30.png")["values"]
    given = predictions(Path("run"), table)[0]
    assert values == {"bright": pytest.approx(given[0].item(), abs=1e-5)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--label-column bright --smoothing 0.1", "--smoothing 0.1 is for classes; .* is regression"),
        ("--label-column bright --bce-loss", "--bce-loss is for classes; .* is regression"),
        ("--label-column colours --num-classes 9", "has 3 targets of multi-label"),
        ("--label-column colours --label-noise 0.5", "is for one class an image; .* is multi-label"),
        ("--label-column colours --task regression", "is multi-label"),
    ],
)
def test_options_for_classes(train: Train, table: Path, options: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train("--dataset", table, *QUICK, *options.split())


def describe_predictions(model: str, image: Path) -> dict[str, Any]:
    """The output of `predict --json` for an image."""
    return json.loads(call("predict", model, image, "--json"))[0]


def test_preview_is_of_classes(table: Path) -> None:
    argv = ["--mix", "mixup", "--out", str(table / "x.png"), "--dataset", str(table)]
    options = parse(PreviewOptions, [*argv, "--label-column", "bright"])
    with pytest.raises(UsageError, match=r"preview needs one class an image; .* is regression"):
        load_examples(options.data, options.network, 0)
