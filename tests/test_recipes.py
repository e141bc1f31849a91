"""The recipes: each parses completely, begins with its command, and trains on data of its format."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import timm
import yaml
from datasets import ClassLabel, Dataset, Features, Image, Value

import timm_multimix.models  # noqa: F401
from tests.training.helpers import launch
from timm_multimix import cli
from timm_multimix.data.splits import load_splits
from timm_multimix.mixers import create_mixer
from timm_multimix.options import TrainOptions, fill_defaults, options_to_dict, parse_train_options
from timm_multimix.training.checks import check_names

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
NAMES = [path.stem for path in RECIPES]
SHORT = [name for name in NAMES if name.endswith("-short")]
TIMM = [f"timm/{path.stem}" for path in sorted((ROOT / "recipes/timm").glob("*.yaml"))]
STARTS = ("timm-multimix train", "accelerate launch --multi_gpu --num_processes 8 train.py")
MEASURED = {
    "digits": "digits-multimix-m4",
    "noisy_cifar100_20-preact_resnet10": "cifar100-20-wrong-labels-multimix",
}
OWN = [*MEASURED, "finetune-pets", "small_data-preact_resnet10"]
TRAINED = [*SHORT, *OWN]


def read(name: str) -> TrainOptions:
    return parse_train_options(["--config", str(ROOT / "recipes" / f"{name}.yaml")])


def opening(name: str) -> list[str]:
    """The comment lines that a recipe opens with."""
    text = (ROOT / "recipes" / f"{name}.yaml").read_text()
    lines = text[: text.index("\n\n")].splitlines()
    assert all(line.startswith("#") for line in lines)
    return [line[1:].strip() for line in lines]


def test_all_benchmarks_have_a_full_and_a_short_form() -> None:
    data = ("cifar10-", "cifar100-", "tiny_imagenet-", "imagenet-resnet50", "imagenet-vit_small")
    for start in data:
        assert [name for name in SHORT if name.startswith(start)] != []
    assert {name.removesuffix("-short") for name in SHORT} == set(NAMES) - set(SHORT) - set(OWN)


@pytest.mark.parametrize("name", NAMES)
def test_parses_whole(name: str) -> None:
    """No unknown key, no option given that would be idle, and names that exist."""
    options = read(name)
    text = yaml.safe_load((ROOT / "recipes" / f"{name}.yaml").read_text())
    assert {key.replace("-", "_") for key in text} == options.given - {"config"}
    create_mixer(options.mixing.mix)
    assert timm.is_model(options.network.model)
    if not options.network.pretrained:
        check_names(options.network, options.mixing, options.optimization.opt)


@pytest.mark.parametrize("name", NAMES)
def test_opens_with_its_command(name: str) -> None:
    command = opening(name)[0]
    start = next(start for start in STARTS if command.startswith(start))
    words = shlex.split(command.removeprefix(start))
    assert words == ["--config", f"recipes/{name}.yaml"]
    assert (ROOT / words[1]).is_file()
    global_batch = read(name).data.loading.batch_size * (8 if "accelerate" in start else 1)
    assert global_batch == {"i": 1024, "t": 256, "c": 128, "f": 32, "d": 64, "n": 64, "s": 125}[name[0]]


@pytest.mark.parametrize("name", NAMES)
def test_opens_with_time_and_result_and_where_they_are_from(name: str) -> None:
    lines = opening(name)
    for what in ("expected time:", "expected result:", "source:"):
        assert [line.startswith(what) for line in lines].count(True) == 1
    told = " ".join(lines).partition("expected time:")[2].partition("source:")[0]
    for text in told.split("expected result:"):
        assert "measured" in text
        if re.search(r"\d\d\.\d\d %", text):
            assert (
                " measured: " in text or "the paper's (arXiv:" in text or "from memory of the paper" in text
            )


@pytest.mark.parametrize("name", SHORT)
def test_a_short_form_is_the_full_one_with_its_schedule_scaled(name: str) -> None:
    short, full = (options_to_dict(read(each)) for each in (name, name.removesuffix("-short")))
    scale = full["epochs"] / short["epochs"]
    assert scale > 1
    if short["sched"] == "multistep":
        assert [scale * epoch for epoch in short["decay_milestones"]] == full["decay_milestones"]
        assert max(short["decay_milestones"]) < short["epochs"]
    elif short["sched"] == "step":
        assert scale * short["decay_epochs"] == full["decay_epochs"] < full["epochs"]
    else:
        assert short["sched"] == "cosine"
    scaled = {"epochs", "decay_milestones", "decay_epochs"}
    assert {k: v for k, v in short.items() if k not in scaled} == {
        k: v for k, v in full.items() if k not in scaled
    }


@pytest.mark.parametrize("name", MEASURED)
def test_the_options_are_those_of_what_was_measured(name: str) -> None:
    """They are those of the checkpoint with the quoted results, whose card is in model_cards/."""
    record = json.loads((ROOT / "model_cards" / MEASURED[name] / "record.json").read_text())
    defaults = load_splits("digits").defaults if name == "digits" else {}
    options = options_to_dict(fill_defaults(read(name), defaults))
    measured = record["options"]
    assert {key: options[key] for key in measured} == measured
    text = " ".join(opening(name))
    assert f"model_cards/{MEASURED[name]}" in text
    assert f"{record['summary']['top1']:.2f} %" in text
    assert f"{record['summary']['train_seconds']:.0f} s" in text


def test_every_recipe_is_in_the_list() -> None:
    text = (ROOT / "recipes/README.md").read_text()
    assert sorted(re.findall(r"\((\S+)\.yaml\)", text)) == sorted([*NAMES, *TIMM])
    for name in NAMES:
        assert re.search(
            rf"\[{read(name).optimization.epochs}(?: epochs)?\]\({re.escape(name)}\.yaml\)", text
        )


def fake_data(directory: Path, options: TrainOptions) -> None:
    """Parquet files with the columns that a recipe names: two classes of noise, eight images a split."""
    columns = options.data.columns
    image, label = columns.image_column or "image", columns.label_column or "label"
    features = Features({image: Image(), label: ClassLabel(names=["a", "b"]), "other": Value("int64")})
    directory.mkdir()
    draws = np.random.default_rng(0)
    for split in ("train", columns.val_split or "test"):
        side = options.network.input.img_size or 32
        pixels = [draws.integers(0, 255, (side, side, 3), dtype=np.uint8) for _ in range(8)]
        rows = {image: pixels, label: [0, 1] * 4, "other": list(range(8))}
        Dataset.from_dict(rows, features=features).to_parquet(directory / f"{split}-00000.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_trains(name: str, tmp_path: Path) -> None:
    """By its command, on little data with its columns: an epoch of two steps, for digits of 22."""
    options = read(name)
    words = ["--config", ROOT / "recipes" / f"{name}.yaml", "--output", tmp_path / "run", "--epochs", 1]
    words += ["--workers", 0, "--warmup-epochs", 0]
    if name != "digits":
        words += ["--batch-size", 4]
        fake_data(tmp_path / "data", options)
        words += ["--dataset", tmp_path / "data"]
    if options.network.pretrained:  # the weights are on the Hub
        plain = yaml.safe_load(Path(words[1]).read_text())
        del plain["pretrained"], plain["body_lr_scale"]
        (tmp_path / "plain.yaml").write_text(yaml.safe_dump(plain))
        words[1] = tmp_path / "plain.yaml"
    if options.network.input.img_size == 224:
        words += ["--img-size", 64]
    done = launch(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "top-1" in done.stdout


def test_compare_takes_a_recipe(tmp_path: Path) -> None:
    """The command of recipes/README.md, up to the point where it would train: every arm overrides the mix."""
    from timm_multimix.comparison.trials import plan
    from timm_multimix.options.comparison import parse_comparison_options

    text = (ROOT / "recipes/README.md").read_text()
    command = re.search(r"^timm-multimix compare(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert command
    words = shlex.split(command[1].replace("\\\n", " "))
    words[words.index("--output") + 1] = str(tmp_path / "out")
    words[words.index("--config") + 1] = str(ROOT / words[words.index("--config") + 1])
    trials = plan(parse_comparison_options(words))
    found = [parse_train_options(trial.argv) for trial in trials]
    assert [options.mixing.mix for options in found] == ["none", "mixup", "multimix"] * 3
    assert {options.optimization.epochs for options in found} == {200}


def test_the_command_line_takes_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Another mistake is reported, so the file itself was accepted."""
    assert cli.main(["train", "--config", str(ROOT / "recipes/digits.yaml"), "--mix", "nonsense"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown mixer 'nonsense'")
