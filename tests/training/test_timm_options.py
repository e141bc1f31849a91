"""Options of timm's train.py have the same effect in a run."""

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from timm.data import create_transform
from timm.loss import BinaryCrossEntropy as TimmsCrossEntropy
from torch import nn
from torchvision import transforms

from timm_multimix import MixTask
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError
from timm_multimix.functional.criteria import BinaryCrossEntropy
from timm_multimix.hub.card import make_card
from timm_multimix.hub.record import read_run
from timm_multimix.modeling.create import create_model
from timm_multimix.options import parse_train_options
from timm_multimix.options.data import AugmentationOptions
from timm_multimix.options.model import ModelOptions
from timm_multimix.schedule import parse_schedule
from timm_multimix.training.defaults import suit_model
from timm_multimix.training.finetune import init_head
from timm_multimix.training.norms import share_norms
from timm_multimix.training.optimization import create_optimizer, create_scheduler
from timm_multimix.training.task import choose_criterion, schedule_until

from .helpers import Train

SIZE: dict[str, Any] = {
    "input_size": (3, 32, 32),
    "mean": (0.5,) * 3,
    "std": (0.5,) * 3,
    "crop_pct": 1.0,
    "crop_mode": "center",
}
SIZE |= {"interpolation": "bicubic"}


@pytest.mark.parametrize("threshold", [None, 0.2])
@pytest.mark.parametrize("weight", [None, 3.0])
@pytest.mark.parametrize("sums", [False, True])
def test_binary_cross_entropy_is_timms(threshold: float | None, weight: float | None, sums: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 5, generator=generator)
    targets = torch.rand(8, 5, generator=generator)
    pos_weight = None if weight is None else torch.tensor(weight)
    timms = TimmsCrossEntropy(target_threshold=threshold, pos_weight=pos_weight, sum_classes=sums)
    torch.testing.assert_close(
        BinaryCrossEntropy(threshold, weight, sums).loss(logits, targets), timms(logits, targets)
    )


def test_options_choose_the_criterion() -> None:
    words = ["--bce-loss", "--bce-sum", "--bce-target-thresh", "0.2", "--bce-pos-weight", "2"]
    chosen: Any = choose_criterion(parse_train_options(words).mixing)
    assert (chosen.threshold, chosen.pos_weight, chosen.sum_classes) == (0.2, 2.0, True)
    assert choose_criterion(parse_train_options(["--bce-loss"]).mixing) == "sigmoid"
    assert choose_criterion(parse_train_options([]).mixing) == "softmax"


def test_thresholds_apply_to_mixed_and_smoothed_targets() -> None:
    """With lambda 0.5 both classes of a pair are positive, as in ResNet strikes back."""
    task = MixTask(
        nn.Sequential(nn.Flatten(), nn.Linear(4, 3)),
        "sample_pairing",
        criterion=BinaryCrossEntropy(threshold=0.2),
        smoothing=0.1,
    )
    images, labels = torch.randn(2, 1, 2, 2), torch.tensor([0, 1])
    result = task(images, labels)
    hard = (result["target"] > 0.2).float()
    expected = nn.functional.binary_cross_entropy_with_logits(result["output"], hard)
    torch.testing.assert_close(result["loss"], expected)


@pytest.mark.parametrize(
    ("epoch", "schedule"), [(0, None), (3, "0-0.3"), (10, None), (12, None)], ids=["all", "3", "10", "12"]
)
def test_mixing_ends_with_an_epoch(epoch: int, schedule: str | None) -> None:
    assert schedule_until(epoch, steps=70, epoch_steps=7) == (schedule and parse_schedule(schedule))


def test_mixing_may_end_early_in_a_very_long_training() -> None:
    found = schedule_until(1, steps=20_000, epoch_steps=1)
    assert found is not None
    assert found.active(0)
    assert not found.active(1 / 20_000)


def test_no_batch_is_mixed_from_the_epoch_on() -> None:
    images, labels = torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 2, 0])
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    task = MixTask(
        model, "cutmix | mixup", schedule=schedule_until(2, steps=21, epoch_steps=7), total_steps=21
    )
    one_hot = nn.functional.one_hot(labels, 3).float()
    mixed = [not torch.equal(task(images, labels)["target"], one_hot) for _ in range(21)]
    assert any(mixed[:14])
    assert not any(mixed[14:])


@pytest.mark.parametrize(
    ("words", "processes", "rate"),
    [
        ("--opt sgd --lr-base 0.1 -b 512", 1, 0.2),
        ("--opt sgd --lr-base 0.1 -b 128 --grad-accum-steps 2", 4, 0.4),
        ("--opt adamw --lr-base 0.1 -b 1024", 1, 0.2),  # the square root of 4
        ("--opt lamb --lr-base 0.1 --lr-base-scale linear -b 1024", 1, 0.4),
        ("--opt sgd --lr-base 0.1 --lr-base-size 512 -b 512", 1, 0.1),
        ("--opt sgd --lr-base 0.1 --lr-base-scale sqrt -b 1024", 1, 0.2),
    ],
)
def test_base_rates_are_scaled_as_by_timm(words: str, processes: int, rate: float) -> None:
    options = parse_train_options(words.split())
    batch_size = options.data.loading.batch_size
    suited = suit_model(options.optimization, batch_size, nn.Linear(1, 1), processes)
    assert suited.lr == pytest.approx(rate)


def test_a_base_rate_is_recorded_and_resumed(train: Train, quick: list[str], tmp_path: Path) -> None:
    options = [
        *(word for word in quick if word not in ("--lr", "0.05")),
        "--lr-base",
        0.32,
        "--output",
        "run",
    ]
    assert train(*options)["lr"] == pytest.approx(0.32 * 8 / 256)
    (tmp_path / "run/summary.json").unlink()
    assert train(*options, "--resume", "auto")["lr"] == pytest.approx(0.32 * 8 / 256)


def test_arguments_of_the_optimizer_reach_it() -> None:
    def made(*words: str) -> torch.optim.Optimizer:
        options = parse_train_options(["--opt", "sgd", "--lr", "0.1", *words]).optimization
        return create_optimizer(options, nn.Linear(1, 1), scheduled=True)

    assert made().param_groups[0]["nesterov"] is True
    assert made("--opt-kwargs", "nesterov=False").param_groups[0]["nesterov"] is False
    with pytest.raises(UsageError, match="nonsense"):
        made("--opt-kwargs", "nonsense=1")


def test_what_an_optimizer_or_a_schedule_does_not_read_does_nothing() -> None:
    """As in timm, and as docs/flags.md says."""

    def made(*words: str) -> tuple[dict[str, Any], list[float]]:
        options = parse_train_options(["--lr", "0.1", "--warmup-epochs", "0", *words])
        optimizer = create_optimizer(options.optimization, nn.Linear(1, 1), scheduled=True)
        group = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
        scheduler, _ = create_scheduler(options.schedule, 4, optimizer, 2)
        assert scheduler is not None
        found = []
        for update in range(1, 8):
            scheduler.step_update(update)
            found.append(optimizer.param_groups[0]["lr"])
        return group, found

    adamw, sgd = ["--opt", "adamw"], ["--opt", "sgd", "--sched"]
    assert made(*adamw) == made(*adamw, "--momentum", "0.1")
    assert made(*sgd, "cosine") == made(*sgd, "cosine", "--decay-rate", "0.5")
    assert made(*sgd, "step") == made(*sgd, "step", "--min-lr", "0.01")
    assert made(*sgd, "cosine") != made(*sgd, "cosine", "--min-lr", "0.01")
    assert made(*sgd, "cosine") != made(*sgd, "cosine", "--momentum", "0.1")


def test_weights_of_a_file_start_a_run(tmp_path: Path) -> None:
    """As they are, and as published ones: with another first layer and another classifier."""
    torch.manual_seed(0)
    source = timm.create_model("test_resnet", num_classes=3)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    args = argparse.Namespace(model="test_resnet")  # as timm's train.py saves
    torch.save({"state_dict": source.state_dict(), "args": args}, tmp_path / "weights.pth")
    for name in ("weights.safetensors", "weights.pth"):
        file = tmp_path / name
        same = create_model(ModelOptions(initial_checkpoint=file), 3).state_dict()
        assert all(torch.equal(same[key], value) for key, value in source.state_dict().items())
        fitted = create_model(ModelOptions(pretrained_path=file), 5)
        assert fitted.get_classifier().out_features == 5  # type: ignore[operator,union-attr]
        assert torch.equal(fitted.state_dict()["layer1.0.conv1.weight"], same["layer1.0.conv1.weight"])
        with pytest.raises(UsageError, match=r"--initial-checkpoint .*size mismatch"):
            create_model(ModelOptions(initial_checkpoint=file), 5)
        both = create_model(ModelOptions(pretrained=True, pretrained_path=file), 3)  # as in timm's train.py
        assert torch.equal(both.state_dict()["layer1.0.conv1.weight"], same["layer1.0.conv1.weight"])
        with pytest.raises(UsageError, match=r"weights of a VisionTransformer .*, of which none fits"):
            create_model(ModelOptions(model="test_vit", pretrained_path=file), 3)


@pytest.mark.parametrize("option", ["--pretrained-path", "--initial-checkpoint"])
def test_a_run_from_a_file_of_weights_says_so(
    option: str, train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = timm.create_model("test_resnet", num_classes=3)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    start = [option, "weights.safetensors", "--body-lr-scale", 0.1]
    record = train(*quick, "--epochs", 1, "--output", "run", *start)
    assert record["base_model"] is None
    assert "parameters, weights of weights.safetensors, input" in capsys.readouterr().out
    assert "fine-tuned from local weights on" in make_card(read_run(tmp_path / "run")[0], "me/model")


def test_code_in_a_file_of_weights_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pth")
    for name in ("initial_checkpoint", "pretrained_path"):
        network: Any = ModelOptions(**{name: tmp_path / "trap.pth"})
        with pytest.raises(UsageError, match=r"must be weights .* without code, got .*trap\.pth"):
            create_model(network, 3)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["list.txt", "table.csv", "image.png", "cut.safetensors"])
def test_a_file_of_something_else_is_no_file_of_weights(name: str, tmp_path: Path) -> None:
    """torch reads the first bytes as a program's, and would name the number of an instruction."""
    (tmp_path / name).write_bytes(b"\x89PNG\r\n" if name == "image.png" else b"hello, there")
    for option in ("initial_checkpoint", "pretrained_path"):
        network: Any = ModelOptions(**{option: tmp_path / name})
        flag = "--" + option.replace("_", "-")
        with pytest.raises(UsageError, match=f"{flag} must be weights in safetensors, .*{name}") as caught:
            create_model(network, 3)
        assert "weights_only" not in str(caught.value)


def test_the_head_starts_as_told() -> None:
    model = timm.create_model("test_resnet", num_classes=4)
    head: Any = model.get_classifier()
    before = head.weight.detach().clone()
    init_head(model, 0.5, -math.log(4))
    assert torch.equal(head.weight, before * 0.5)
    assert torch.equal(head.bias, torch.full((4,), -math.log(4)))
    init_head(model, None, None)
    assert torch.equal(head.weight, before * 0.5)
    head.bias = None
    with pytest.raises(UsageError, match="--head-init-bias: the classifier of ResNet has no biases"):
        init_head(model, None, 0.0)


def test_norms_of_all_processes_need_gpus() -> None:
    model: Any = timm.create_model("test_resnet")
    plain, asked = ModelOptions(), ModelOptions(sync_bn=True)
    accelerator = Accelerator(cpu=True)
    assert share_norms(model, plain, accelerator) is model
    with pytest.raises(UsageError, match="--sync-bn needs GPUs"):
        share_norms(model, asked, accelerator)
    names = set(model.state_dict())
    on_gpu: Any = type("", (), {"device": torch.device("cuda")})()
    shared = share_norms(model, asked, on_gpu)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in shared.modules())
    assert set(shared.state_dict()) == names


@pytest.mark.parametrize("mode", ["rrc", "rkrc", "rkrr"])
def test_crops_are_timms(mode: Any) -> None:
    """The same steps before the flips as timm's own transform has."""
    options = AugmentationOptions(train_crop_mode=mode, hflip=0.0)
    plan = create_transforms(options, SIZE)[0]
    timms = create_transform(
        SIZE["input_size"],
        is_training=True,
        train_crop_mode=mode,
        hflip=0.0,
        scale=options.scale,
        ratio=options.ratio,
        separate=True,
        interpolation="random",
    )[0]
    crop: Any = plan.augment[0].transform
    assert isinstance(crop, transforms.Compose)
    assert [str(step) for step in crop.transforms] == [str(step) for step in timms.transforms]


def test_checkpoints_that_are_kept(train: Train, quick: list[str], tmp_path: Path) -> None:
    train(*quick, "--checkpoint-interval", 2, "--checkpoint-hist", 3, "--output", "run")
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").glob("step-*"))
    assert kept == ["step-00000006", "step-00000008", "step-00000010"]


def test_the_opening_names_defaults_unlike_timms(
    train: Train, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    train(*quick, "--smoothing", 0.0, "--output", "run")
    line = next(line for line in capsys.readouterr().out.splitlines() if "unlike" in line)
    assert line.startswith("defaults unlike those of timm's train.py, which are in brackets: ")
    assert "--weight-decay 0.0001 (2e-05)" in line
    assert "--color-jitter 0 (0.4)" in line
    assert "--smoothing" not in line
    assert "--epochs" not in line


def test_repeated_augmentation_reaches_the_batches(
    train: Train, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """44 images in batches of 8: 40 positions, three copies of the first 13 images and one of another."""
    seen: list[Any] = []
    real = ImageDataset.__getitems__
    monkeypatch.setattr(
        ImageDataset, "__getitems__", lambda self, keys: seen.append((len(self), keys)) or real(self, keys)
    )
    train(*quick, "--aug-repeats", 3, "--epochs", 1, "--output", "run")
    keys = [key for length, batch in seen if length == 44 for key in batch]
    assert [key.repeat for key in keys] == [0, 1, 2] * 13 + [0]
    assert len({key.index for key in keys}) == 14
    assert {key.repeat for length, batch in seen if length == 13 for key in batch} == {0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--aug-repeats 0.5", "--aug-repeats: expected a number that is 0 or >= 1, got '0.5'"),
        ("--aug-repeats 3 --streaming", "cannot be used"),
    ],
)
def test_repeats_that_cannot_be(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_train_options(words.split())
