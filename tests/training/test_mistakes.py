"""Mistakes end in one line and leave nothing behind."""

from pathlib import Path

import pytest
from PIL import Image

from timm_multimix.errors import UsageError

from .helpers import Train

MISTAKES = {
    "--model test_resnt": "unknown model 'test_resnt'.*test_resnet",
    "--model nobody/model": "hf-hub:",
    "--model local-dir:nowhere": "nowhere",
    "--model test_byobnet.none_such --pretrained": "none_such",
    "--model test_vit --img-size 33": "33",
    "--model test_vit --model-kwargs nonsense=1": "--model-kwargs must be left out .* takes no nonsense",
    "--model vgg11 --drop-path 0.1": "--drop-path must be left out for vgg11, which takes no drop_path_rate",
    "--opt sgd --momentum 0": "--momentum must be above 0 for sgd, whose momentum is Nesterov's, got 0",
    "--opt momentum --momentum 0 --resume last.pth.tar": "weights of another trainer .* --initial-checkpoint",
    "--model vgg11 --img-size 16": "16x16",
    "--opt adamm": "unknown optimizer 'adamm'.*adam",
    "--mix mixupp": "mixupp",
    "--mix multimix(n=-1)": "n must be an integer of at least 1, got -1",
    "--mix mixup --mix-schedule 0.8-0.1": "0.8-0.1",
    "--dataset nowhere/at/all": "nowhere/at/all",
    "--num-classes 2": "--num-classes 2.*0 to 9",
    "--export-weights ema": "--model-ema",
    "--sched wsd --decay-epochs 50": "wsd",
    "--resume nowhere": "nowhere",
    "--log-with nothing": "nothing",
    "--torchcompile nothing": "nothing",
    "--mean 1 2": "mean",
    "--distill 0.5 --distill-teacher nothing": "nothing",
    "--model-kwargs num_classes=7": "give --num-classes instead",
    "--model-kwargs drop_rate=0.5": "give --drop instead",
    "--opt adamw --opt-betas 0.9": "--opt-betas must be 2 numbers for adamw, got 0.9",
    "--opt adan --opt-betas 0.9 0.99": "--opt-betas must be 3 numbers for adan, got 0.9 0.99",
    "--opt sgd --opt-betas 0.9 0.99": "--opt-betas has no effect on sgd",
    "--opt lion --opt-eps 1e-6": "--opt-eps has no effect on lion",
    "--sched multistep --decay-milestones 5 3": "--decay-milestones must be epochs in rising order, got 5 3",
    "--sched multistep --decay-milestones 3 3": "rising order, got 3 3",
}


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.items(), ids=list(MISTAKES))
def test_mistakes_leave_nothing_behind(mistake: str, said: str, train: Train, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        train(*mistake.split(), "--workers", 0, "--epochs", 2)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_directory_around_the_splits_is_not_read_as_classes(train: Train, tmp_path: Path) -> None:
    for split in ("train", "val"):
        for label in ("a", "b"):
            (tmp_path / "around/data" / split / label).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "around/data" / split / label / "0.png")
    with pytest.raises(UsageError, match=r"around/data must hold classes, got splits: train, val"):
        train("--dataset", tmp_path / "around", "--train-split", "data", "--val-split", "0.5")


def test_one_class_is_nothing_to_tell_apart(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Binary cross-entropy trains its one output, and a classifier may be larger than the data."""
    for split in ("train", "val"):
        (tmp_path / "data" / split / "a").mkdir(parents=True)
        for name in "01":
            Image.new("RGB", (8, 8)).save(tmp_path / "data" / split / "a" / f"{name}.png")
    with pytest.raises(UsageError, match="data must have at least two classes, got 'a' alone"):
        train(*quick, "--dataset", tmp_path / "data")
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
    train(*quick, "--dataset", tmp_path / "data", "--bce-loss")
    train(*quick, "--dataset", tmp_path / "data", "--num-classes", 2)
    assert capsys.readouterr().err.count("there is one class only, 'a'") == 2


def test_the_model_of_a_run_is_named(train: Train, tmp_path: Path) -> None:
    (tmp_path / "run/model").mkdir(parents=True)
    (tmp_path / "run/model/config.json").write_text("{}")
    for name in (tmp_path / "run", f"local-dir:{tmp_path}/run"):
        with pytest.raises(UsageError, match=f"its model is local-dir:{tmp_path}/run/model"):
            train("--model", name)


def test_a_run_that_cannot_learn_says_why(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    train(*quick, "--mix", "skip | skip", "--warmup-epochs", 2)
    told = capsys.readouterr().err
    assert "warning: --warmup-epochs 2 of 2 epochs: the rate only rises\n" in told
    assert "warning: --mix skip | skip takes no step: the model stays as it is\n" in told
    train(*quick, "--mix", "mixup", "--mixup-off-epoch", 2)
    assert "warning: --mixup-off-epoch 2 of 2 epochs: never off\n" in capsys.readouterr().err


def test_a_broken_image_is_named(train: Train, quick: list[str], tmp_path: Path) -> None:
    for split in ("train", "val"):
        for label in ("a", "b"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "data" / split / label / "0.png")
    (tmp_path / "data/train/a/1.png").write_bytes(b"no image")
    options = [*quick, "--dataset", tmp_path / "data"]
    with pytest.raises(UsageError, match=r"1\.png"):
        train(*options)
    assert train(*options, "--skip-broken")["train_samples"] == 2
