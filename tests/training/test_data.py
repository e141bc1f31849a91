"""A run's report and record of its data, and the size of its images from training to prediction."""

import importlib
import json
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image

from timm_multimix.errors import UsageError

from .helpers import Train, call, launch


def test_skipped_images_are_reported_and_recorded(
    train: Train, pictures: Path, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for file in sorted(pictures.glob("*/*/*.png")):
        copy = data / file.relative_to(pictures)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b"broken" if file.name == "0.png" else file.read_bytes())
    options = [*quick[2:], "--dataset", data, "--epochs", 1]
    with pytest.raises(UsageError, match=r"broken image, .*0\.png: .*; `skip_broken` leaves such images out"):
        train(*options)
    capsys.readouterr()
    summary = train(*options, "--skip-broken", "--output", "run")
    told = capsys.readouterr()
    assert told.out.splitlines()[:2] == [
        f"data: {data}, 3 classes",
        "training on split 'train' (41 images), evaluation on split 'val' (10 images); "
        "6 broken images left out",
    ]
    assert "warning: split 'train' without 3 broken images, the first: broken image, " in told.err
    assert (summary["skipped_samples"], summary["train_samples"]) == (6, 41)
    assert summary["data"]["skipped"] == {"train": 3, "evaluation": 3}
    assert json.loads(Path("run/summary.json").read_text()) == summary


def test_processes_that_leave_other_images_out_are_stopped(
    train: Train, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would take parts of different orders: images would be seen twice, or never."""
    distributed = importlib.import_module("timm_multimix.training.distributed")
    monkeypatch.setattr(distributed, "gather_object", lambda mine: [*mine, ["broken image, a.png"]])
    with pytest.raises(UsageError, match="broken images must be the same for every process, got 0, 1: "):
        train(*quick, "--skip-broken", "--output", "run")
    assert not (tmp_path / "run").exists()


def test_evaluation_on_the_training_images(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        UsageError, match=r"split 'train' of .* would be both trained .* give `eval_on_train` as well"
    ):
        train(*quick, "--val-split", "train", "--output", "run")
    assert not Path("run").exists()
    summary = train(*quick, "--val-split", "train", "--eval-on-train", "--epochs", 1, "--output", "run")
    assert (summary["evaluation_split"], summary["samples_evaluated"]) == ("train", 44)
    assert "evaluation on split 'train' (44 images)" in capsys.readouterr().out
    call("push", "run", "me/name", "--dry-run", "dry")
    assert "**the images it was trained on**" in (Path("dry") / "README.md").read_text()


def test_only_one_process_speaks_of_the_data(quick: list[str], tmp_path: Path) -> None:
    done = launch(*quick, "--epochs", 1, cwd=tmp_path, processes=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("data: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("size", ["--img-size 32 48", "--model-kwargs img_size=(32,48)"])
def test_height_and_width_from_training_to_prediction(
    train: Train, pictures: Path, quick: list[str], size: str
) -> None:
    options = [*quick[:2], *quick[4:], *size.split(), "--model", "test_vit", "--epochs", 1, "--output", "run"]
    train(*options)
    config = json.loads(Path("run/model/config.json").read_text())
    assert config["pretrained_cfg"]["input_size"] == [3, 32, 48]
    model = timm.create_model("local-dir:run/model", pretrained=True).eval()
    assert model(torch.zeros(1, 3, 32, 48)).shape == (1, 3)
    assert timm.data.resolve_model_data_config(model)["input_size"] == (3, 32, 48)

    call("evaluate", "run")
    evaluation = json.loads(Path("run/evaluation.json").read_text())["evaluations"][0]
    assert evaluation["input_size"] == [3, 32, 48]
    summary = json.loads(Path("run/summary.json").read_text())
    assert evaluation["accuracy"]["top1"] == pytest.approx(summary["top1"])

    image = next(pictures.glob("val/*/*.png"))
    said = call("predict", "run", image, "--json")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    logits = model(transform(Image.open(image).convert("RGB")).unsqueeze(0))
    [found] = json.loads(said)
    shares = {row["index"]: row["probability"] for row in found["classes"]}
    assert shares == pytest.approx(dict(enumerate(logits.softmax(1)[0].tolist())), abs=1e-5)

    call("push", "run", "me/name", "--dry-run", "dry")
    assert "at 32 x 48 pixels" in Path("dry/README.md").read_text()


def test_two_sizes_are_an_error(train: Train, quick: list[str]) -> None:
    with pytest.raises(UsageError, match="--img-size 32 and --model-kwargs img_size=64"):
        train(*quick, "--model", "test_vit", "--model-kwargs", "img_size=64")
