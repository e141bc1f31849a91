"""Default optimizer and learning rate: by the model, reported and recorded; given ones are kept."""

from pathlib import Path

import pytest
import timm
import torch
import yaml

from timm_multimix.modeling.attention import has_self_attention
from timm_multimix.options import options_to_yaml, parse_train_options
from timm_multimix.training.defaults import suit_model

from .helpers import Train

ATTENTION = {
    "vit_tiny_patch16_224": True,
    "swin_tiny_patch4_window7_224": True,
    "xcit_nano_12_p8_224": True,
    "levit_128": True,
    "maxvit_rmlp_pico_rw_256": True,
    "test_vit": True,
    "resnet18": False,
    "resnet50_clip": False,  # attention in the pooling only
    "seresnet18": False,
    "resnest14d": False,  # attention over channels
    "skresnet18": False,
    "hiera_tiny_224": True,  # whose heads are not called num_heads
    "convnext_atto": False,
    "test_resnet": False,
    "preact_resnet18_cifar": False,
}


@pytest.mark.parametrize(("name", "found"), ATTENTION.items(), ids=list(ATTENTION))
def test_self_attention_is_recognised(name: str, found: bool) -> None:
    with torch.device("meta"):
        assert has_self_attention(timm.create_model(name)) == found


def test_attention_of_torch_is_recognised() -> None:
    assert has_self_attention(torch.nn.TransformerEncoderLayer(8, 2))


@pytest.mark.parametrize(
    ("given", "model", "chosen"),
    [
        ("", "test_resnet", ("sgd", 0.2)),
        ("", "test_vit", ("adamw", 1e-3)),
        ("--opt sgd", "test_vit", ("sgd", 0.2)),
        ("--opt adamw", "test_resnet", ("adamw", 1e-3)),
        ("--opt lookahead_adamw", "test_resnet", ("lookahead_adamw", 1e-3)),
        ("--lr 0.03", "test_vit", ("adamw", 0.03)),
        ("--lr 0.03", "test_resnet", ("sgd", 0.03)),
        ("--opt momentum --lr 0.5", "test_vit", ("momentum", 0.5)),
    ],
)
def test_defaults_suit_the_model(given: str, model: str, chosen: tuple[str, float]) -> None:
    options = parse_train_options(given.split()).optimization
    assert suit_model(options, 128, timm.create_model(model)).chosen == chosen


def test_open_choices_cannot_be_read() -> None:
    with pytest.raises(TypeError, match="depend on the model"):
        _ = parse_train_options([]).optimization.chosen


def test_the_choice_is_printed_recorded_and_kept(
    train: Train, quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [word for word in quick if word not in ("--lr", "0.05")]
    summary = train(*options, "--model", "test_vit", "--output", "run")
    assert (summary["optimizer"], summary["lr"]) == ("adamw", 0.001)
    told = "optimizer: adamw (the default for models with self-attention), learning rate 0.001, "
    assert told in capsys.readouterr().out
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert (config["opt"], config["lr"]) == ("adamw", 0.001)
    (tmp_path / "run/summary.json").unlink()
    again = train("--output", "run", "--resume", "auto")
    assert (again["optimizer"], again["lr"]) == ("adamw", 0.001)


def test_a_run_of_an_earlier_version_resumes_with_its_recorded_options(
    train: Train, quick: list[str], tmp_path: Path
) -> None:
    """Its config.yaml says sgd and 0.2 for a transformer, which were the defaults of all models."""
    options = [word for word in quick if word not in ("--lr", "0.05")]
    old = ["--model", "test_vit", "--opt", "sgd", "--lr", 0.2]
    train(*options, *old, "--output", "run")
    (tmp_path / "run/summary.json").unlink()
    again = train("--output", "run", "--resume", "auto")
    assert (again["optimizer"], again["lr"]) == ("sgd", 0.2)


def test_an_open_choice_is_not_written_down() -> None:
    assert {"opt", "lr"}.isdisjoint(yaml.safe_load(options_to_yaml(parse_train_options([]))))
