"""--img-size: a side, or height and width; and that a model is built for the size that it is fed."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix.errors import UsageError
from timm_multimix.options import options_to_yaml, parse_train_options
from timm_multimix.options.declaration import flat
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.parser import parse
from timm_multimix.options.prediction import PredictOptions
from timm_multimix.options.preview import PreviewOptions


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("", None),
        ("--img-size 32", 32),
        ("--img-size 64 96", (64, 96)),
        ("--img-size 64x96", (64, 96)),
        ("--img-size 32 32", 32),
        ("--model-kwargs img_size=64", 64),
        ("--model-kwargs img_size=(64,96)", (64, 96)),
        ("--model-kwargs img_size=[64,96]", (64, 96)),
        ("--img-size 64 --model-kwargs img_size=64", 64),
    ],
)
def test_one_size_for_the_model_and_its_images(words: str, size: int | tuple[int, int] | None) -> None:
    for options in (parse_train_options(words.split()), parse(EvaluateOptions, ["run", *words.split()])):
        assert flat(options)["img_size"] == size
        assert flat(options)["model_kwargs"] == {}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 2000), st.integers(1, 2000))
def test_a_config_says_the_same_again(height: int, width: int) -> None:
    options = parse_train_options(["--img-size", str(height), str(width)])
    assert yaml.safe_load(options_to_yaml(options))["img_size"] == (
        height if height == width else [height, width]
    )
    assert flat(options)["img_size"] == (height if height == width else (height, width))
    assert "img_size" in options.given


def test_other_arguments_of_the_model_stay() -> None:
    options = parse_train_options(["--model-kwargs", "img_size=64", "depth=2"])
    assert flat(options)["model_kwargs"] == {"depth": 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--img-size 1 2 3", "expected one side, or height and width, got 1 2 3"),
        ("--img-size 0", "expected a whole number >= 1, got '0'"),
        ("--img-size 64x", "expected a whole number >= 1, got ''"),
        ("--model-kwargs img_size=big", "--model-kwargs img_size must be a side or .*, got 'big'"),
        ("--model-kwargs img_size=(1,2,3)", "--model-kwargs img_size must be a side"),
        ("--model-kwargs img_size=True", "--model-kwargs img_size must be a side"),
        ("--img-size 32 --model-kwargs img_size=64", "--img-size 32 and --model-kwargs img_size=64"),
        ("--img-size 96 64 --model-kwargs img_size=(64,96)", "give --img-size only"),
    ],
)
def test_sizes_that_are_none_or_two(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_train_options(words.split())


def test_predict_takes_one_word_so_that_images_may_follow() -> None:
    options = parse(PredictOptions, ["run", "--img-size", "64x96", "a.png", "b.png"])
    assert (flat(options)["img_size"], [str(image) for image in options.images]) == (
        (64, 96),
        ["a.png", "b.png"],
    )


def test_preview_takes_the_same(tmp_path: object) -> None:
    options = parse(
        PreviewOptions, ["--mix", "mixup", "--out", f"{tmp_path}/a.png", *["--img-size", "32", "48"]]
    )
    assert flat(options)["img_size"] == (32, 48)
