"""A run's config.yaml has everything that its command line had."""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions, options_to_dict, options_to_yaml, parse_train_options
from timm_multimix.options.arguments import KeyValues, Parser, Switch, reading, switch_flags
from timm_multimix.options.config import config_tokens, read_yaml
from timm_multimix.options.declaration import Option, declared, flat
from timm_multimix.options.parser import read_layer
from timm_multimix.options.relations import names_of

NUMBERS = ["0", "1", "3", "250", "0.5", "0.999", "1e-07", "-2.5", "-1e-05", "9223372036854775807"]


def is_allowed(option: Option, text: str) -> bool:
    """Whether a text is a value of an option."""
    try:
        (reading(option).convert or str)(text)
    except Exception:
        return False
    return True


def values(option: Option) -> st.SearchStrategy[list[str]]:
    """Command lines that choose an option."""
    found, flag = reading(option), option.flag
    if found.action is Switch:
        return st.sampled_from(switch_flags(option)).map(lambda word: [word])
    if found.action is KeyValues:
        pair = st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "None", "(1, 2)", "gelu", "'x=y'"]))
        return st.lists(pair.map("=".join), max_size=3).map(lambda words: [flag, *words])
    if found.choices:
        return st.sampled_from(found.choices).map(lambda word: [flag, word])
    if found.convert is None:
        return st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(
            lambda word: [f"{flag}={word}"]
        )
    text = st.sampled_from([text for text in NUMBERS if is_allowed(option, text)])
    if found.nargs is None:
        return text.map(lambda word: [flag, word])
    count = found.nargs if isinstance(found.nargs, int) else None
    return st.lists(text, min_size=count or 1, max_size=count or 4).map(lambda words: [flag, *words])


RECORDED = [
    option
    for option in Parser(TrainOptions).flags()
    if option.name not in names_of(TrainOptions, recorded=False)
]
LINES = st.lists(st.sampled_from(RECORDED).flatmap(values), max_size=12).map(
    lambda some: [word for words in some for word in words]
)


def parse(argv: list[str]) -> TrainOptions:
    try:
        return parse_train_options(argv)
    except UsageError:
        assume(False)
        raise


@settings(max_examples=100, deadline=None, derandomize=True)
@given(LINES)
def test_options_of_a_config_are_those_it_was_written_from(tmp_path_factory: Any, argv: list[str]) -> None:
    options = parse(argv)
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(options_to_yaml(options), encoding="utf-8")
    again = parse_train_options(["--config", str(path)])
    assert flat(again) | {"config": None} == flat(options)
    assert options_to_yaml(again) == options_to_yaml(options)


def test_a_record_is_in_the_order_of_the_declarations() -> None:
    record = options_to_dict(parse_train_options(["--mean", "0.5", "--mixup", "1", "-b", "3"]))
    assert list(record) == [name for name in declared(TrainOptions) if name in record]
    assert (record["mean"], record["mix"], record["batch_size"]) == ([0.5], "mixup(alpha=1.0)", 3)


def test_options_that_affect_the_result() -> None:
    options = parse_train_options(["--workers", "0"])
    assert "workers" in options_to_dict(options)
    assert "workers" not in options_to_dict(options, result_only=True)


def test_values_of_yaml_become_the_words_of_a_command_line() -> None:
    known = {option.name: option for option in Parser(TrainOptions).flags()}
    tokens = config_tokens(read_yaml("mean: [-1.0e-05, 2]\nno-aug: false\nlr:"), known)
    assert tokens == ["--mean", "-1e-05", "2", "--aug"]
    assert read_layer(TrainOptions, tokens) == {"mean": (-1e-05, 2.0), "no_aug": False}


def test_the_bytes_of_a_config() -> None:
    """Runs are resumed from such files, so neither names nor order nor forms of values may change."""
    argv = ["--model-kwargs", "a=(1, 2)", "b=gelu", "--mean", "0.5", "--mixup", "0.8", "--torchcompile"]
    argv += ["--opt", "sgd", "--lr", "0.2"]  # which are the model's to choose
    argv += ["--crop-padding", "4", "--opt-betas", "0.9", "0.95", "--log-with", "tensorboard"]
    argv += ["--output", "x", "--overwrite", "--push-to-hub", "--hub-model-id", "some/name"]
    assert options_to_yaml(parse_train_options(argv)) == CONFIG


CONFIG = """\
model: test_resnet
pretrained: false
model_kwargs:
- a=(1, 2)
- b='gelu'
mean:
- 0.5
sync_bn: false
drop: 0.0
grad_checkpointing: false
channels_last: false
torchcompile: inductor
dataset: digits
eval_on_train: false
dataset_download: false
task: auto
skip_broken: false
streaming: false
cache: 'off'
aug_repeats: 0.0
label_noise: 0.0
label_noise_kind: symmetric
batch_size: 128
workers: 2
pin_mem: false
no_aug: false
crop_padding: 4
scale:
- 0.08
- 1.0
ratio:
- 0.75
- 1.3333333333333333
train_crop_mode: rrc
hflip: 0.5
vflip: 0.0
color_jitter: 0.0
reprob: 0.0
remode: pixel
recount: 1
train_interpolation: random
mix: mixup(alpha=0.8)
import: []
mixup_off_epoch: 0
smoothing: 0.0
bce_loss: false
bce_sum: false
distill: 0.0
distill_teacher: ema
distill_warmup_epochs: 0.0
epochs: 30
opt: sgd
lr: 0.2
lr_base_size: 256
opt_kwargs: []
momentum: 0.9
weight_decay: 0.0001
opt_betas:
- 0.9
- 0.95
freeze_body: false
clip_mode: norm
skip_nonfinite: 0
grad_accum_steps: 1
sched: cosine
warmup_lr: 1.0e-05
min_lr: 0.0
cooldown_epochs: 0
decay_milestones:
- 90
- 180
- 270
decay_rate: 0.1
model_ema: false
model_ema_decay: 0.9998
model_ema_warmup: true
export_weights: auto
val_interval: 1
checkpoint_interval: 0
checkpoint_hist: 2
seed: 42
log_interval: 50
log_with:
- tensorboard
log_level: warning
"""
