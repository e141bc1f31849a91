"""Training with wrong labels, and what is reported of them."""

import csv
import json
from pathlib import Path

import pytest
import timm
import torch

from timm_multimix.data.noise import NoisyLabels
from timm_multimix.data.splits import load_splits
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError
from timm_multimix.options.data import AugmentationOptions

from .helpers import Train, launch, outcome

NAMES = [f"{part}_{key}" for part in ("noisy", "noisy_true", "clean") for key in ("loss", "top1")]


@torch.no_grad()
def by_hand(directory: Path, dataset: Path, part: float, kind: str, seed: int) -> dict[str, float]:
    """The columns of the memorisation test, from the exported model and plain timm, image by image."""
    model = timm.create_model(f"local-dir:{directory}", pretrained=True).eval()
    transform = create_transforms(AugmentationOptions(), timm.data.resolve_model_data_config(model))[1]
    splits = load_splits(str(dataset))
    noisy = NoisyLabels(splits.train, len(splits.class_names), part, kind, seed)
    rows: dict[str, list[tuple[float, bool]]] = {"noisy": [], "noisy_true": [], "clean": []}
    for index in range(len(noisy)):
        (image, given), true = noisy[index], splits.train[index][1]
        log_p = model(transform(image)[None]).double().log_softmax(1)[0]
        parts = {"noisy": given, "noisy_true": true} if noisy.replaced[index] else {"clean": true}
        for name, label in parts.items():
            rows[name].append((-log_p[label].item(), int(log_p.argmax()) == label))
    return {
        f"{name}_{key}": scale * sum(row[place] for row in found) / len(found)
        for name, found in rows.items()
        for place, (key, scale) in enumerate((("loss", 1), ("top1", 100)))
    }


@pytest.mark.usefixtures("drawn_curves")
@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_both_parts_are_reported_every_epoch(
    kind: str, train: Train, quick: list[str], pictures: Path, tmp_path: Path
) -> None:
    noise = ["--label-noise", 0.4, "--label-noise-kind", kind]
    summary = train(*quick, *noise, "--mix", "mixup", "--seed", 3, "--output", "run")
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert all(float(row[name]) >= 0 for row in rows for name in NAMES)
    found = summary["label_noise"]
    # 0.4 of 44 images
    assert (found["part"], found["kind"]) == (0.4, kind)
    assert (found["noisy_samples"], found["clean_samples"]) == (18, 26)
    expected = by_hand(tmp_path / "run/model", pictures, 0.4, kind, 3)
    for name in NAMES:
        assert found[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-9)
        assert float(rows[-1][name]) == found[name]
    assert json.loads((tmp_path / "run/summary.json").read_text()) == summary


def test_all_labels_replaced_leave_no_clean_part(train: Train, quick: list[str]) -> None:
    found = train(*quick, "--epochs", 1, "--label-noise", 1)["label_noise"]
    assert (found["noisy_samples"], found["clean_samples"]) == (44, 0)
    assert "noisy_loss" in found
    assert "clean_loss" not in found


def test_without_noise_nothing_is_reported(train: Train, quick: list[str], tmp_path: Path) -> None:
    summary = train(*quick, "--epochs", 1, "--output", "run", "--label-noise", 0)
    assert "label_noise" not in summary
    assert "noisy" not in (tmp_path / "run/metrics.csv").read_text()


def test_the_noise_stays_the_same_on_resume(train: Train, quick: list[str], tmp_path: Path) -> None:
    options = [*quick, "--label-noise", 0.4, "--mix", "mixup", "--checkpoint-interval", 1]
    train(*options, "--output", "whole", "--workers", 2)
    train(*options, "--output", "again", "--epochs", 2)
    source = sorted((tmp_path / "again/checkpoints").glob("step-*"))[0]
    train("--resume", source, "--output", "rest")
    expected = outcome(tmp_path / "whole")
    assert outcome(tmp_path / "again") == expected
    assert outcome(tmp_path / "rest") == expected
    with pytest.raises(UsageError, match=r"--label-noise 0\.5"):
        train("--resume", "again", "--label-noise", 0.5)


@pytest.mark.slow
def test_memorised_labels_are_measured_apart_from_true_ones(train: Train, quick: list[str]) -> None:
    """A network without BatchNorm, whose training and evaluation agree, memorises all labels."""
    same = ["--crop-padding", 0, "--scale", 1, 1, "--ratio", 1, 1, "--hflip", 0, "--crop-pct", 1]
    same += ["--interpolation", "bilinear", "--train-interpolation", "bilinear"]
    network = ["--model", "test_convnext", "--opt", "adamw", "--lr", 0.003, "--weight-decay", 0]
    noise = ["--label-noise", 0.3, "--label-noise-kind", "pair"]
    found = train(*quick, *same, *network, *noise, "--epochs", 60)["label_noise"]
    assert min(found["noisy_top1"], found["clean_top1"]) > 80
    assert found["noisy_true_top1"] < 20
    assert found["noisy_loss"] < found["noisy_true_loss"] / 3


def test_mistakes(train: Train, quick: list[str], tmp_path: Path) -> None:
    for words, said in {
        "--label-noise 1.5": "from 0 to 1",
        "--label-noise 0.4 --label-noise-kind odd": "odd",
        "--label-noise-kind pair": "no effect without --label-noise",
        "--label-noise 0.4 --streaming": "--label-noise cannot be used with --streaming",
        "--label-noise 0.001": "must replace a label",
    }.items():
        with pytest.raises(UsageError, match=said):
            train(*quick, *words.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_processes_report_what_one_does(quick: list[str], pictures: Path, tmp_path: Path) -> None:
    done = launch(*quick, "--label-noise", 0.4, "--seed", 3, "--output", "run", processes=2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run/summary.json").read_text())["label_noise"]
    expected = by_hand(tmp_path / "run/model", pictures, 0.4, "symmetric", 3)
    assert {name: found[name] for name in NAMES} == pytest.approx(expected, rel=1e-5, abs=1e-9)
