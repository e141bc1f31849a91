"""A run's config.yaml says all that its command line said."""

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


def test_what_bears_on_the_result() -> None:
    options = parse_train_options(["--workers", "0"])
    assert "workers" in options_to_dict(options)
    assert "workers" not in options_to_dict(options, result_only=True)


def test_values_of_yaml_become_the_words_of_a_command_line() -> None:
    known = {option.name: option for option in Parser(TrainOptions).flags()}
    tokens = config_tokens(read_yaml("mean: [-1.0e-05, 2]\nno-aug: false\nlr:"), known)
    assert tokens == ["--mean", "-1e-05", "2", "--aug"]
    assert read_layer(TrainOptions, tokens) == {"mean": (-1e-05, 2.0), "no_aug": False}
