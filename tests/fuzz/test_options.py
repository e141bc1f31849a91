"""Any command line is understood or refused."""

import argparse
import io
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from timm_multimix.options import TrainOptions, options_to_yaml, parse_train_options
from timm_multimix.options.arguments import Parser
from timm_multimix.options.comparison import CompareOptions, parse_comparison_options
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.parser import parse as parse_command
from timm_multimix.options.prediction import PredictOptions
from timm_multimix.options.preview import PreviewOptions

from .effort import tries, value_or_refusal
from .texts import hostile, spoiled

ORDINARY = ["0.5", "3", "0", "-1", "mixup", "ema", "norm", "x=1", "a=(1, 2)", "auto", "picture.png", "digits"]

OTHERS: list[tuple[Callable[[list[str]], Any], argparse.ArgumentParser]] = [
    (parse_comparison_options, Parser(CompareOptions)),
    (partial(parse_command, EvaluateOptions), Parser(EvaluateOptions)),
    (partial(parse_command, PredictOptions), Parser(PredictOptions)),
    (partial(parse_command, PreviewOptions), Parser(PreviewOptions)),
]


def flags(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def lines(parser: argparse.ArgumentParser) -> st.SearchStrategy[list[str]]:
    """Command lines of real flags, spoiled ones, and values of any kind, beside or behind an equals sign."""
    known = flags(parser)
    value = st.sampled_from(ORDINARY) | hostile()
    flag = st.sampled_from(known) | spoiled(known)
    joined = st.tuples(st.sampled_from(known), value).map("=".join).map(lambda word: [word])
    apart = st.tuples(st.sampled_from(known), value).map(list)
    piece = joined | apart | flag.map(lambda word: [word]) | value.map(lambda word: [word])
    return st.lists(piece, max_size=5).map(lambda pieces: [word for piece in pieces for word in piece])


def parse(how: Callable[[list[str]], Any], argv: list[str]) -> Any:
    with redirect_stdout(io.StringIO()):
        return value_or_refusal(lambda: how(argv))


@tries("training options")
@given(lines(Parser(TrainOptions)))
def test_training(argv: list[str]) -> None:
    options = parse(parse_train_options, argv)
    if options is not None:
        value_or_refusal(lambda: options_to_yaml(options))


def test_an_argument_that_is_nested_too_deeply_is_a_text() -> None:
    for deep in ("(" * 5000, "-" * 200_000 + "1", "[" * 90 + "{[]: 1}" + "]" * 90):
        options = parse(parse_train_options, [f"--model-kwargs=a={deep}"])
        assert options.network.model_kwargs == {"a": deep}


@tries("options of other commands")
@given(st.sampled_from(range(len(OTHERS))).flatmap(lambda i: st.tuples(st.just(i), lines(OTHERS[i][1]))))
def test_other_commands(given_words: tuple[int, list[str]]) -> None:
    which, argv = given_words
    parse(OTHERS[which][0], argv)
