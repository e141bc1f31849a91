"""Options: defaults, the two layers, mistakes, and a run's config.yaml as a way to repeat it."""

from pathlib import Path

import pytest
import yaml

from timm_multimix.errors import UsageError
from timm_multimix.options import (
    TrainOptions,
    fill_defaults,
    options_to_dict,
    options_to_yaml,
    parse_train_options,
)
from timm_multimix.options.arguments import Parser
from timm_multimix.options.declaration import declared, flat

RECIPES = Path(__file__).parents[2] / "recipes"


def parse(text=""):
    return parse_train_options(text.split())


@pytest.fixture
def config(tmp_path):
    """Writes a config file and gives its path."""

    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_the_bare_command_has_the_defaults_of_the_design():
    options = parse()
    assert (options.network.model, options.data.dataset, options.mixing.mix) == (
        "test_resnet",
        "digits",
        "none",
    )
    mixing = options.mixing
    assert (mixing.smoothing, mixing.distill, mixing.distill_teacher) == (0.0, 0.0, "ema")
    assert options.given == set()


def test_the_help_of_every_option_says_its_default():
    silent = [action.dest for action in Parser(TrainOptions)._actions if "default" not in (action.help or "")]
    assert silent == ["help"]


def test_the_help_can_be_formatted():
    text = " ".join(Parser(TrainOptions).format_help().split())
    assert "(default: test_resnet," in text
    assert "peak learning rate (default: 0.2 for sgd," in text


def test_given_are_the_options_of_file_and_command_line(config):
    options = parse_train_options(["--config", config("lr: 0.5\nepochs: 7"), "--lr", "0.25", "--no-aug"])
    optimization = options.optimization
    assert (optimization.lr, optimization.epochs, options.augmentation.no_aug) == (0.25, 7, True)
    assert options.given == {"config", "lr", "epochs", "no_aug"}


def test_an_option_given_with_its_default_value_is_given():
    assert parse("--epochs 30 --mix none").given == {"epochs", "mix"}


@pytest.mark.parametrize(
    ("text", "dest", "value"),
    [
        ("--model-kwargs a=0.1 b=gelu c=(1,2)", "model_kwargs", {"a": 0.1, "b": "gelu", "c": (1, 2)}),
        ("--mean 0.5 0.25 0.125", "mean", (0.5, 0.25, 0.125)),
        ("-b 7", "batch_size", 7),
        ("-j 0", "workers", 0),
        ("-vb 9", "validation_batch_size", 9),
        ("--torchcompile", "torchcompile", "inductor"),
        ("--torchcompile eager", "torchcompile", "eager"),
        ("--aug", "no_aug", False),
        ("--pretrained --no-pretrained", "pretrained", False),
        ("--log-with tensorboard --log-with wandb", "log_with", ("tensorboard", "wandb")),
        ("--opt-betas 0.9 0.95", "opt_betas", (0.9, 0.95)),
        ("--scale 0.5 1", "scale", (0.5, 1.0)),
        ("--lr 1e-3", "lr", 0.001),
    ],
)
def test_values_are_read(text, dest, value):
    assert flat(parse(text))[dest] == value


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("--mixup 0.8", "mixup(alpha=0.8)"),
        ("--cutmix 1", "cutmix(alpha=1.0)"),
        ("--cutmix 1 --mixup 0.8", "mixup(alpha=0.8) | cutmix(alpha=1.0)"),
        ("--mixup 0 --cutmix 1", "cutmix(alpha=1.0)"),
        ("--mixup 0", "none"),
    ],
)
def test_short_forms_become_a_spec(text, mix):
    options = parse(text)
    assert options.mixing.mix == mix
    assert "mix" in options.given
    assert "mixup" not in flat(options) | dict.fromkeys(options.given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--mxi multimix", ["unrecognized option --mxi", "did you mean --mix?"]),
        ("--epoch 3", ["--epoch;", "--epochs?"]),
        ("--zzzz", ["--zzzz", "--help"]),
        ("--wd 0.1", ["did you mean --weight-decay?"]),
        ("--verbose", ["did you mean --log-level?"]),
        ("--modal x", ["did you mean --model?"]),
        ("digits", ["'digits'"]),
        ("--epochs 0", ["--epochs", ">= 1", "'0'"]),
        ("--epochs 1.5", ["--epochs", "whole number", "'1.5'"]),
        ("--batch-size 0", ["--batch-size", ">= 1"]),
        ("--workers -1", ["--workers", ">= 0", "'-1'"]),
        ("--lr 0", ["--lr", "> 0", "'0'"]),
        ("--lr nan", ["--lr", "'nan'"]),
        ("--lr inf", ["--lr", "'inf'"]),
        ("--lr fast", ["--lr", "'fast'"]),
        ("--lr", ["--lr", "expected one argument"]),
        ("--seed 9223372036854775808", ["--seed", "from 0 to 9223372036854775807"]),
        ("--smoothing 1", ["--smoothing", "from 0 to less than 1", "'1'"]),
        ("--distill 1.5", ["--distill", "from 0 to 1", "'1.5'"]),
        ("--mixup -1", ["--mixup", ">= 0"]),
        ("--crop-pct 0", ["--crop-pct"]),
        ("--scale 1 0.5", ["--scale", "LOW <= HIGH", "1.0 0.5"]),
        ("--sched linear", ["--sched", "'linear'", "cosine"]),
        ("--remode noise", ["--remode", "'noise'", "const", "rand", "pixel"]),
        ("--train-interpolation cubic", ["--train-interpolation", "'cubic'", "bilinear"]),
        ("--crop-padding -1", ["--crop-padding", ">= 0", "'-1'"]),
        ("--export-weights ema", ["--export-weights ema", "--model-ema"]),
        ("--model-kwargs depth", ["--model-kwargs", "key=value", "'depth'"]),
        ("--mix none --mixup 1", ["--mixup", "--mix"]),
        ("--resume auto", ["--resume auto", "--output"]),
        ("--resume auto --output x --overwrite", ["--resume", "--overwrite"]),
        ("--no-aug --hflip 0.5", ["--no-aug", "--hflip"]),
        ("--crop-padding 4 --scale 0.5 1", ["--crop-padding", "--scale"]),
        ("--distill-teacher self", ["--distill-teacher", "--distill;"]),
        ("--mix-schedule 0-1:1/1", ["--mix-schedule", "--mix;"]),
        ("--config missing.yaml", ["missing.yaml"]),
    ],
)
def test_a_mistake_is_one_line_with_rule_and_value(text, words):
    with pytest.raises(UsageError) as caught:
        parse(text)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch: 3", ["'epoch'", "epochs"]),
        ("zzzz: 3", ["'zzzz'"]),
        ("config: other.yaml", ["'config'"]),
        ("3: 4", ["3"]),
        ("epochs: many", ["--epochs", "'many'"]),
        ("epochs: [1, 2]", ["--epochs", "[1, 2]"]),
        ("epochs: true", ["--epochs", "True"]),
        ("epochs: {a: 1}", ["--epochs", "{'a': 1}"]),
        ("pretrained: 1", ["--pretrained", "true or false", "1"]),
        ("no-aug: 'yes'", ["--no-aug", "'yes'"]),
        ("lr: .nan", ["--lr", "'nan'"]),
        ("lr: -1.0e-5", ["--lr", "'-1e-05'"]),
        ("sched: linear", ["--sched", "'linear'"]),
        ("scale: 0.5", ["--scale", "2"]),
        ("batch-size: 3\nbatch_size: 4", ["batch-size", "batch_size", "once"]),
        ("mix: none\nmixup: 1", ["--mixup"]),
        ("- epochs", ["mapping", "list"]),
        ("just text", ["mapping", "str"]),
        ("a: [", ["YAML"]),
        ("a: \x01", ["YAML"]),
    ],
)
def test_a_mistake_in_a_config_file_names_the_file(config, text, words):
    path = config(text)
    with pytest.raises(UsageError) as caught:
        parse_train_options(["--config", path])
    message = str(caught.value)
    assert [word for word in [path, *words] if word not in message] == []
    assert "\n" not in message


def test_a_directory_as_config_file_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        parse_train_options(["--config", str(tmp_path)])


@pytest.mark.parametrize("name", ["digits", "timm/deit-vit_small"])
def test_a_recipe_is_found_by_its_name(name):
    named, read = (f"recipe:{name}", str(RECIPES / f"{name}.yaml"))
    options = [flat(parse_train_options(["--config", config, "--epochs", "3"])) for config in (named, read)]
    assert options[0] | {"config": read} == options[1]
    with pytest.raises(UsageError, match=r"a recipe must be one of cifar.*, digits, .*, got nonsense"):
        parse_train_options(["--config", "recipe:nonsense"])


def test_a_config_file_may_be_empty_or_leave_an_option_open(config):
    assert parse_train_options(["--config", config("")]).given == {"config"}
    assert parse_train_options(["--config", config("epochs:")]).given == {"config"}


def test_config_keys_are_dests_or_flags_and_values_may_be_lists_and_mappings(config):
    text = """
        batch-size: 32
        weight_decay: 5e-4  # text to YAML, as it has no dot
        no-aug: true
        pretrained: false
        torchcompile: true
        mean: [0.5, 0.25, 0.125]
        model-kwargs: {drop_rate: 0.1, act: gelu}
        log_with: [tensorboard, wandb]
        output: -runs
        mixup: 0.4
    """
    options = parse_train_options(["--config", config(text)])
    network = options.network
    assert (options.data.loading.batch_size, options.optimization.weight_decay) == (32, 5e-4)
    assert (options.augmentation.no_aug, network.pretrained) == (True, False)
    assert (network.torchcompile, network.input.mean) == ("inductor", (0.5, 0.25, 0.125))
    assert network.model_kwargs == {"drop_rate": 0.1, "act": "gelu"}
    assert (options.run.log_with, options.run.output) == (("tensorboard", "wandb"), "-runs")
    assert options.mixing.mix == "mixup(alpha=0.4)"


def test_the_command_line_overrules_the_file(config):
    path = config("mix: multimix\nlog_with: tensorboard\npretrained: true\nno_aug: true")
    options = parse_train_options(
        ["--config", path, "--mixup", "1", "--log-with", "wandb", "--no-pretrained"]
    )
    assert (options.mixing.mix, options.run.log_with) == ("mixup(alpha=1.0)", ("wandb",))
    assert (options.network.pretrained, options.augmentation.no_aug) == (False, True)


def test_a_crop_of_the_file_is_not_silently_left_without_effect(config):
    with pytest.raises(UsageError, match="--crop-padding has no effect together with --no-aug"):
        parse_train_options(["--config", config("crop_padding: 4"), "--no-aug"])


def test_asking_for_an_augmentation_overrules_a_files_no_aug(config):
    options = parse_train_options(["--config", config("no_aug: true"), "--hflip", "0.5"])
    assert not options.augmentation.no_aug


CHOICES = [
    "",
    "--model-kwargs a=(1,2) b=None c='x=y' d=text --mean 0.5 --std 0.25 --in-chans 1",
    "--mixup 0.8 --cutmix 1 --crop-padding 4 --torchcompile --model-ema --no-model-ema-warmup",
    "--log-with tensorboard --opt adamw --lr 1e-7 --opt-betas 0.9 0.99 --decay-milestones 3 5",
    "--dataset ünïcode --train-split train[:50%] --aa rand-m9-mstd0.5 --seed 9223372036854775807",
]


@pytest.mark.parametrize("text", CHOICES)
def test_a_runs_config_repeats_the_run(config, text):
    options = parse(text)
    again = parse_train_options(["--config", config(options_to_yaml(options))])
    assert options_to_dict(again) == options_to_dict(options)
    assert flat(again) | {"config": None} == flat(options)


def test_a_runs_config_is_complete_after_the_datas_defaults(config):
    options = fill_defaults(parse("--lr 0.1"), {"img_size": 32, "no_aug": True, "epochs": 12})
    again = parse_train_options(["--config", config(options_to_yaml(options))])
    refilled = fill_defaults(again, {"img_size": 64, "no_aug": False, "epochs": 3})
    assert options_to_dict(refilled) == options_to_dict(options)


def test_a_runs_config_can_be_used_for_another_run(config):
    record = options_to_yaml(parse("--output there --overwrite"))
    assert yaml.safe_load(record).keys().isdisjoint({"output", "overwrite", "resume", "config", "given"})


def test_the_datas_defaults_fill_only_what_was_not_chosen():
    options = parse("--epochs 3")
    filled = fill_defaults(options, {"epochs": 12, "img_size": 32, "no_aug": True})
    assert (filled.optimization.epochs, filled.network.input.img_size) == (3, 32)
    assert filled.augmentation.no_aug
    assert (options.network.input.img_size, options.augmentation.no_aug) == (None, False)


@pytest.mark.parametrize("text", ["--hflip 0.5", "--crop-padding 4", "--aa rand-m9", "--aug"])
def test_who_asks_for_augmentation_gets_it_on_any_data(text):
    assert not fill_defaults(parse(text), {"no_aug": True}).augmentation.no_aug


def test_the_warm_up_is_a_tenth_of_the_epochs_unless_chosen():
    assert fill_defaults(parse(), {"epochs": 20}).schedule.warmup_epochs == 2
    assert fill_defaults(parse("--warmup-epochs 0"), {}).schedule.warmup_epochs == 0


def test_two_parses_share_nothing():
    parse().network.model_kwargs["x"] = 1
    assert parse().network.model_kwargs == {}


def test_every_option_but_the_short_forms_has_a_value():
    flags = {option.name for option in Parser(TrainOptions).flags()}
    short = {form for option in declared(TrainOptions).values() for form in option.facts.short_forms}
    assert {"mixup", "cutmix"} < short
    assert flags == flat(parse()).keys() | short
    assert list(flat(parse())) == list(declared(TrainOptions))
