"""timm's flags: each is an option, a short form of one, or refused with what to do instead."""

import logging
from pathlib import Path

import pytest
import yaml
from torch import nn

from benchmarks import flags_page
from timm_multimix.errors import UsageError
from timm_multimix.mixers import create_mixer
from timm_multimix.options import TrainOptions, parse_train_options
from timm_multimix.options.arguments import parser_of
from timm_multimix.options.declaration import flag, flat
from timm_multimix.options.parser import names_in_config
from timm_multimix.options.timm_flags import HUGGING_FACE, advise, timm_flags
from timm_multimix.options.timm_mixing import mix_of_timm
from timm_multimix.training.defaults import suit_model

RECIPES = Path(__file__).parents[2] / "recipes" / "timm"
HERE = {name for option in parser_of(TrainOptions).flags() for name in names_in_config(option)}
REFUSED = [name for name, found in timm_flags().items() if found.kind in ("absent", "accelerate")]


def test_the_list_is_that_of_timm() -> None:
    assert len(timm_flags()) == 173
    assert list(timm_flags())[:3] == ["config", "data", "data_dir"]
    assert list(timm_flags())[-1] == "kd_token_distill_type"


def test_every_flag_is_here_or_refused() -> None:
    assert {name for name in timm_flags() if name in HERE} == set(timm_flags()) - set(REFUSED)
    assert all(timm_flags()[name].text for name in REFUSED)


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "data"])
def test_a_flag_of_timm_without_counterpart_has_advice(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_train_options([flag(name), "1"])
    assert timm_flags()[name].text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_page_is_made_from_the_list() -> None:
    assert flags_page.PAGE.read_text(encoding="utf-8") == flags_page.make_page(), "run `make docs`"


@pytest.mark.parametrize(("theirs", "ours"), HUGGING_FACE.items())
def test_names_of_hugging_face(theirs: str, ours: str, tmp_path: Path) -> None:
    assert ours in HERE
    with pytest.raises(UsageError, match=f"did you mean --{ours.replace('_', '-')}?"):
        parse_train_options([flag(theirs), "1"])
    (tmp_path / "config.yaml").write_text(f"{theirs}: 1")
    with pytest.raises(UsageError, match=f"did you mean --{ours.replace('_', '-')}?"):
        parse_train_options(["-c", str(tmp_path / "config.yaml")])


def test_precision_is_for_accelerate() -> None:
    for name in ("--amp", "--fp16", "--bf16"):
        assert "accelerate launch --mixed_precision" in str(advise(name))


def test_data_by_position_are_refused_with_the_flag() -> None:
    with pytest.raises(UsageError, match=r"unexpected argument '/data'; give data as --dataset /data, and"):
        parse_train_options(["/data"])


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        ("--mixup 0.8", "mixup(alpha=0.8)"),
        ("--mixup 0.8 --cutmix 1", "mixup(alpha=0.8) | cutmix(alpha=1.0)"),
        ("--mixup 0.8 --mixup-prob 0.5", "mixup(alpha=0.8) | none"),
        ("--mixup 0.8 --mixup-prob 0.6", "0.6*mixup(alpha=0.8) | 0.4*none"),
        ("--mixup 0.8 --cutmix 1 --mixup-switch-prob 0.3", "0.7*mixup(alpha=0.8) | 0.3*cutmix(alpha=1.0)"),
        ("--mixup 0.8 --cutmix 1 --mixup-switch-prob 1", "cutmix(alpha=1.0)"),
        (
            "--mixup 0.8 --cutmix 1 --mixup-prob 0.5",
            "0.25*mixup(alpha=0.8) | 0.25*cutmix(alpha=1.0) | 0.5*none",
        ),
        ("--mixup 0.8 --mixup-prob 0", "none"),
        ("--cutmix-minmax 0.2 0.8", "cutmix(minmax=(0.2, 0.8))"),
        ("--cutmix-minmax 0.2 0.8 --cutmix 0.5", "cutmix(minmax=(0.2, 0.8))"),
        ("--mixup 0.8 --mixup-mode elem", "mixup(alpha=0.8, per_sample=True)"),
        (
            "--mixup 0.8 --cutmix 1 --mixup-mode elem",
            "per_sample(mixup(alpha=0.8, per_sample=True) | cutmix(alpha=1.0, per_sample=True))",
        ),
        ("--mixup 0.8 --mixup-mode pair", "mixup(alpha=0.8, partner='pair')"),
        (
            "--mixup 0.8 --mixup-mode pair --mixup-prob 0.6",
            "per_sample(0.6*mixup(alpha=0.8, partner='pair') | 0.4*none)",
        ),
    ],
)
def test_flags_of_mixing_become_a_spec(words: str, spec: str) -> None:
    options = parse_train_options(words.split())
    assert options.mixing.mix == spec
    create_mixer(spec)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--mixup-prob 0.5", "--mixup-prob has no effect without --mixup or --cutmix"),
        ("--mixup 0 --mixup-mode elem", "--mixup-mode has no effect without"),
        ("--mixup 1 --mixup-switch-prob 0.5", "--mixup-switch-prob has no effect unless both"),
        ("--mixup 1 --mixup-mode half", "--mixup-mode"),
        ("--mixup-prob 0.5 --mix mixup", "--mixup-prob is short for --mix; give one of the two"),
        ("--mixup-off-epoch 3", "--mixup-off-epoch has no effect without --mix"),
        ("--mix mixup --mixup-off-epoch 3 --mix-schedule 0-0.5", "cannot be used with --mix-schedule"),
        ("--lr 0.1 --lr-base 0.1", "has no effect together with --lr"),
        ("--lr-base-size 512", "--lr-base-size has no effect without --lr-base"),
        ("--input-size 3 32 32 --img-size 32", "has no effect together with"),
        ("--bce-sum", "--bce-sum has no effect without --bce-loss"),
        ("--log-wandb --log-with wandb", "--log-wandb is short for --log-with"),
    ],
)
def test_flags_without_effect(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_train_options(words.split())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("--data-dir /data/images", {"dataset": "/data/images", "data_dir": None}),
        ("--data-dir /d --dataset torch/cifar10", {"dataset": "torch/cifar10", "data_dir": Path("/d")}),
        ("--input-size 1 28 28", {"in_chans": 1, "img_size": 28, "input_size": None}),
        ("--input-size 3 64 96", {"in_chans": 3, "img_size": (64, 96)}),
        ("--input-key a --target-key b", {"image_column": "a", "label_column": "b"}),
        ("--recovery-interval 7", {"checkpoint_interval": 7}),
        ("--dr 0.5", {"decay_rate": 0.5}),
        ("--opt-kwargs nesterov=False", {"opt_kwargs": {"nesterov": False}}),
        ("--log-wandb", {"log_with": ("wandb",)}),
        ("--log-wandb --wandb-project p --wandb-tags a b", {"wandb_project": "p", "wandb_tags": ("a", "b")}),
    ],
)
def test_short_forms_and_other_names(words: str, values: dict[str, object]) -> None:
    options = flat(parse_train_options(words.split()))
    assert {name: options[name] for name in values} == values


def dump(tmp_path: Path, **changes: object) -> str:
    """All arguments of a run of timm, as train.py saves them."""
    content = {name: found.default for name, found in timm_flags().items()} | changes
    (tmp_path / "args.yaml").write_text(yaml.safe_dump(content))
    return str(tmp_path / "args.yaml")


def test_arguments_of_a_run_of_timm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    changes: dict[str, object] = {"data_dir": "/data/images", "mixup": 0.2, "opt": "adamw", "epochs": 90}
    changes |= {"amp": True, "aug_repeats": 3.0, "smoothing": 0.0, "workers": 8}
    with caplog.at_level(logging.WARNING):
        options = parse_train_options(["-c", dump(tmp_path, **changes), "--epochs", "5"])
    found = flat(options)
    expected = {"dataset": "/data/images", "mix": "mixup(alpha=0.2)", "opt": "adamw", "epochs": 5}
    expected |= {"model": "resnet50", "weight_decay": 2e-5, "color_jitter": 0.4, "lr": None, "lr_base": 0.1}
    expected |= {"aug_repeats": 3.0, "workers": 8, "smoothing": 0.0, "val_split": None, "warmup_epochs": 5}
    assert {name: found[name] for name in expected} == expected
    assert len(caplog.records) == 1
    assert "not used are amp=True: docs/flags.md" in caplog.text


def test_supported_arguments_give_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = parse_train_options(["-c", dump(tmp_path, mixup_off_epoch=3, lr=0.5)])
    assert not caplog.records
    assert (options.mixing.mix, options.mixing.mixup_off_epoch) == ("none", 0)
    assert (options.optimization.lr, options.optimization.lr_base) == (0.5, None)


def read(name: str) -> dict[str, object]:
    options = parse_train_options(["--config", str(RECIPES / f"{name}.yaml")])
    batch_size = options.data.loading.batch_size
    suited = suit_model(options.optimization, batch_size, nn.Linear(1, 1), processes=8)
    return flat(options) | flat(suited)


def test_rsb_a3_has_the_published_settings() -> None:
    """arXiv:2110.00476, table 2, column A3."""
    found = read("rsb_a3-resnet50")
    expected: dict[str, object] = {"model": "resnet50", "img_size": 160, "epochs": 100, "opt": "lamb"}
    expected |= {"lr": 8e-3, "weight_decay": 0.02, "warmup_epochs": 5, "sched": "cosine", "smoothing": 0.0}
    expected |= {"mix": "mixup(alpha=0.1) | cutmix(alpha=1.0)", "bce_loss": True, "drop": 0.0}
    expected |= {"drop_path": None, "crop_pct": 0.95, "aa": "rand-m6-mstd0.5-inc1", "hflip": 0.5}
    expected |= {"batch_size": 2048 // 8, "reprob": 0.0, "clip_grad": None, "model_ema": False}
    expected |= {"aug_repeats": 0.0, "bce_target_thresh": 0.2, "warmup_lr": 1e-4, "min_lr": 1e-6}
    assert {name: found[name] for name in expected} == expected


def test_deit_s_has_the_published_settings() -> None:
    """arXiv:2012.12877, table 9, column DeiT-B, which is for all sizes; main.py of facebookresearch/deit."""
    found = read("deit-vit_small")
    expected: dict[str, object] = {"model": "deit_small_patch16_224", "img_size": 224, "epochs": 300}
    expected |= {"opt": "adamw", "lr": 5e-4 * 1024 / 512, "weight_decay": 0.05, "warmup_epochs": 5}
    expected |= {"smoothing": 0.1, "drop": 0.0, "drop_path": 0.1, "aa": "rand-m9-mstd0.5-inc1"}
    expected |= {"mix": "mixup(alpha=0.8) | cutmix(alpha=1.0)", "reprob": 0.25, "batch_size": 1024 // 8}
    expected |= {
        "aug_repeats": 3.0,
        "crop_pct": 224 / 256,
        "warmup_lr": 1e-6,
        "min_lr": 1e-5,
        "clip_grad": None,
    }
    expected |= {"train_interpolation": "bicubic", "remode": "pixel", "recount": 1, "color_jitter": 0.0}
    assert {name: found[name] for name in expected} == expected


def test_no_flags_are_no_mixing() -> None:
    assert mix_of_timm({"mixup": 0.0, "cutmix": 0.0}) is None
