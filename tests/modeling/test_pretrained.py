"""Weights from the Hub: refused if damaged or a pickle, adapted to new classes if intact."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from timm.optim import create_optimizer_v2

from tests.fakehub.faults import drop, unavailable
from tests.fakehub.helpers import NAME
from tests.fakehub.server import HubServer
from tests.finished_runs import COLOURS, make_model, make_pictures, run_command
from timm_multimix import cli
from timm_multimix.errors import UsageError
from timm_multimix.modeling.heads import head_parameters
from timm_multimix.modeling.pretrained import check_pretrained
from timm_multimix.options import parse_train_options
from timm_multimix.options.mixing import MixingOptions
from timm_multimix.options.model import ModelOptions
from timm_multimix.options.optimization import OptimizationOptions
from timm_multimix.training import run
from timm_multimix.training.finetune import (
    check_weights,
    fit_head_and_body,
    group_arguments,
    still_frozen,
)

Files = dict[str, bytes]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The directory of an intact model of three classes."""
    make_model(tmp_path / "made", COLOURS)
    return tmp_path / "made"


def read(directory: Path) -> Files:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def edit_config(directory: Path, **changes: Any) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | changes))


def wrong_shapes(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    weights["conv1.0.weight"] = weights["conv1.0.weight"][:, :2].clone()
    save_file(weights, directory / "model.safetensors")


def cut_off(directory: Path) -> None:
    whole = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def unknown_architecture(directory: Path) -> None:
    edit_config(directory, architecture="resnet_of_tomorrow")


def pickle_only(directory: Path) -> None:
    torch.save(load_file(directory / "model.safetensors"), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def pickle_by_name(directory: Path) -> None:
    torch.save(load_file(directory / "model.safetensors"), directory / "evil.bin")
    config = json.loads((directory / "config.json").read_text())["pretrained_cfg"]
    edit_config(directory, pretrained_cfg=config | {"hf_hub_filename": "evil.bin"})


def no_architecture(directory: Path) -> None:
    (directory / "config.json").write_text('{"model_type": "bert"}')


def no_json(directory: Path) -> None:
    (directory / "config.json").write_text("architecture: resnet")


def no_config(directory: Path) -> None:
    (directory / "config.json").unlink()


BROKEN: dict[Callable[[Path], None], str] = {
    cut_off: "model.safetensors is damaged",
    unknown_architecture: "unknown architecture, 'resnet_of_tomorrow'",
    pickle_only: "no model.safetensors .pickles such as pytorch_model.bin are never loaded",
    pickle_by_name: "other weights than model.safetensors",
    no_architecture: "names no architecture",
    no_json: "config.json cannot be read",
    no_config: "no config.json",
}


@pytest.mark.parametrize("spoil", BROKEN, ids=[spoil.__name__ for spoil in BROKEN])
@pytest.mark.parametrize("source", ["hf-hub:", "local-dir:"])
def test_broken_models(connected: HubServer, model: Path, spoil: Callable[[Path], None], source: str) -> None:
    check_pretrained(f"local-dir:{model}")
    spoil(model)
    connected.store.create(NAME).commit(read(model), "model")
    name = source + (NAME if source == "hf-hub:" else str(model))
    with pytest.raises(UsageError, match=BROKEN[spoil]) as caught:
        check_pretrained(name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_sound_model_over_a_bad_network(connected: HubServer, model: Path) -> None:
    connected.store.create(NAME).commit(read(model), "model")
    connected.faults.add("GET", "*/resolve/*/model.safetensors", unavailable)
    connected.faults.add("GET", "*/resolve/*/config.json", drop)
    check_pretrained(f"hf-hub:{NAME}")
    check_pretrained(f"hf-hub:{NAME}@main")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf-hub:tester/nothing", "not on the Hub, or private"),
        (f"hf-hub:{NAME}@nowhere", "could not be downloaded"),
        ("hf-hub:a b/c", "could not be downloaded"),
        ("local-dir:nowhere", "no config.json"),
        ("gcvit_tiny.in1k", "pickle"),
    ],
)
def test_models_that_are_not_there(connected: HubServer, model: Path, name: str, said: str) -> None:
    connected.store.create(NAME).commit(read(model), "model")
    with pytest.raises(UsageError, match=said) as caught:
        check_pretrained(name)
    assert "\n" not in str(caught.value)


def test_no_hub(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{filename}")
    with pytest.raises(UsageError, match="could not be downloaded from the Hub"):
        check_pretrained(f"hf-hub:{NAME}")


def test_an_unreachable_hub_is_not_asked_for_files(
    connected: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would retry for minutes; the cache is used all the same."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    asked = len(connected.log)
    with pytest.raises(UsageError, match="could not be downloaded from the Hub: Connect"):
        check_pretrained(f"hf-hub:{NAME}")
    assert len(connected.log) == asked


@pytest.mark.parametrize("name", ["checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"])
def test_model_arguments_that_load_other_weights_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        check_weights(ModelOptions(model_kwargs={name: "x.bin"}), MixingOptions())


def test_weights_of_the_teacher_are_checked_too(model: Path) -> None:
    pickle_only(model)
    options = parse_train_options(["--distill", "0.5", "--distill-teacher", f"local-dir:{model}"])
    with pytest.raises(UsageError, match="pickle"):
        check_weights(options.network, options.mixing)


def test_the_command_prints_one_line(hub: HubServer, model: Path, tmp_path: Path) -> None:
    pickle_only(model)
    hub.store.create(NAME).commit(read(model), "model")
    home = tmp_path / "home"
    home.mkdir()
    done = run_command(hub, home, "train", "--model", f"hf-hub:{NAME}", "--pretrained", "--workers", 0)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: model hf-hub:{NAME}: there is no model.safetensors")
    assert done.stderr.count("\n") == 1
    assert not (home / "runs").exists()
    assert not hub.requests("GET", "*.bin")


def test_wrong_shapes(
    connected: HubServer, model: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong_shapes(model)
    connected.store.create(NAME).commit(read(model), "model")
    assert cli.main(["train", "--model", f"hf-hub:{NAME}", "--pretrained", "--workers", "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: model hf-hub:{NAME}")
    assert "conv1.0 weight shape (16, 2, 3, 3)" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


# fine-tuning


def options_for(model: Path, *argv: str) -> Any:
    return parse_train_options(["--model", f"local-dir:{model}", "--pretrained", *argv])


def load(model: Path) -> Any:
    return timm.create_model(f"local-dir:{model}", pretrained=True)


def test_a_head_for_as_many_other_classes_is_new(model: Path) -> None:
    stored = load_file(model / "model.safetensors")
    same, other = load(model), load(model)
    fit_head_and_body(same, COLOURS, pretrained=True, freeze=False)
    fit_head_and_body(other, ["cat", "dog", "fish"], pretrained=True, freeze=False)
    assert torch.equal(same.fc.weight, stored["fc.weight"])
    assert not torch.equal(other.fc.weight, stored["fc.weight"])
    assert torch.equal(other.conv1[0].weight, stored["conv1.0.weight"])


def test_a_slow_backbone(model: Path) -> None:
    options = OptimizationOptions(body_lr_scale=0.1)
    net = load(model)
    optimizer = create_optimizer_v2(net, opt="sgd", lr=1.0, weight_decay=1e-4, **group_arguments(options))
    scales = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    head = {id(parameter) for parameter in head_parameters(net)}
    for parameter in net.parameters():
        assert scales[id(parameter)] == (1.0 if id(parameter) in head else 0.1)
        assert decays[id(parameter)] == (1e-4 if parameter.ndim > 1 else 0)
    assert len(head) == 2


@pytest.mark.parametrize("schedule", ["cosine", "none"])
def test_the_backbone_has_its_own_learning_rate(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """After one step of plain SGD on the same batch, the backbone's change is scaled by its rate."""
    monkeypatch.chdir(tmp_path)
    before, ways = load_file(model / "model.safetensors"), []
    data = make_pictures(tmp_path / "pictures", 3)
    for scale in ("0.01", "1"):
        quick = "--epochs 1 --batch-size 64 --img-size 32 --no-aug --workers 0 --weight-decay 0 --clip-grad 1"
        argv = [*quick.split(), "--sched", schedule, "--warmup-epochs", "0", "--body-lr-scale", scale]
        run(options_for(model, *argv, "--dataset", str(data), "--output", f"run{scale}"))
        after = load_file(f"run{scale}/model/model.safetensors")
        ways.append((after["conv1.0.weight"] - before["conv1.0.weight"]).norm().item())
    assert ways[0] == pytest.approx(0.01 * ways[1], rel=0.01)


def test_a_frozen_backbone(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_pictures(tmp_path / "pictures", 3)
    quick = f"--dataset {data} --epochs 2 --batch-size 4 --img-size 32 --workers 0"
    mix = "mixup | multimix(n=20, m=4)"
    run(options_for(model, *quick.split(), "--mix", mix, "--freeze-body", "--output", "run"))
    before, after = (load_file(path / "model.safetensors") for path in (model, Path("run/model")))
    moved = {name for name in after if not (name in before and torch.equal(after[name], before[name]))}
    assert moved == {"fc.weight", "fc.bias"}


def test_frozen_modules_are_in_eval_mode(model: Path) -> None:
    net = load(model)
    fit_head_and_body(net, COLOURS, pretrained=True, freeze=True)
    net.train()
    still_frozen(net)
    assert {
        name for name, module in net.named_modules() if module.training and list(module.parameters())
    } == {
        "",
        "fc",
    }


def test_a_model_without_a_classifier_cannot_freeze_the_rest(model: Path) -> None:
    net = timm.create_model("test_resnet", num_classes=0)
    with pytest.raises(UsageError, match="no classifier"):
        fit_head_and_body(net, COLOURS, pretrained=True, freeze=True)


@pytest.mark.parametrize(
    "argv",
    [
        "--freeze-body",
        "--body-lr-scale 0.1",
        "--pretrained --freeze-body --body-lr-scale 0.1",
        "--pretrained --layer-decay 0.7 --body-lr-scale 0.1",
        "--pretrained --body-lr-scale 0",
        "--push-to-hub",
        "--hub-private",
        "--hub-model-id a/b",
        "--push-to-hub --hub-model-id a/b --hub-license MIT!",
    ],
)
def test_options_that_contradict(argv: str) -> None:
    with pytest.raises(UsageError):
        parse_train_options(argv.split())
