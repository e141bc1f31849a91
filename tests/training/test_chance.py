"""Runs whose model is no better than guessing print advice; others do not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from timm_multimix.options.optimization import OptimizationOptions
from timm_multimix.training.chance import is_at_chance, share_of_largest_class, what_to_try

from .helpers import Train


@pytest.mark.parametrize(
    ("top1", "samples", "share", "found"),
    [
        (10.0, 360, 0.1, True),
        (5.0, 360, 0.1, True),
        (13.1, 360, 0.1, True),  # 10 + 2 * sqrt(0.1 * 0.9 / 360) = 13.16
        (13.3, 360, 0.1, False),
        (90.0, 1000, 0.9, True),  # nine of ten images are of one class
        (93.0, 1000, 0.9, False),
        (10.0, 99, 0.1, False),  # too few to tell
        (100.0, 360, 1.0, False),  # nothing to learn
    ],
)
def test_chance_is_two_standard_errors_wide(top1: float, samples: int, share: float, found: bool) -> None:
    assert is_at_chance(top1, samples, share) == found


def test_guessing_answers_the_most_frequent_class() -> None:
    assert share_of_largest_class(np.array([2, 2, 0, 2]), 5) == 0.75
    assert share_of_largest_class(None, 5) == 0.2
    assert share_of_largest_class(np.zeros((4, 5)), 5) == 0.2  # columns of labels


@pytest.mark.parametrize(
    ("opt", "lr", "advice"),
    [("sgd", 0.2, "try --opt adamw --lr 0.001, "), ("adamw", 0.01, "try --lr 0.001, ")],
)
def test_the_advice_is_another_optimizer_or_a_lower_rate(opt: str, lr: float, advice: str) -> None:
    said = what_to_try(9.44, 0.1, OptimizationOptions(opt=opt, lr=lr))
    assert said.startswith(
        "top-1 9.44 % is within chance of always answering the most frequent class (10.00 %)"
    )
    assert advice in said


def test_a_run_at_its_end(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels that are independent of the images, and a learning rate of almost zero."""
    noise = np.random.default_rng(0)
    for split, size in (("train", 16), ("val", 120)):
        for number in range(size):
            directory = tmp_path / "data" / split / "ab"[number % 2]
            directory.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(
                directory / f"{number}.png"
            )
    options = f"--dataset {tmp_path / 'data'} --img-size 32 --epochs 1 -b 8 --workers 0 --lr 1e-9"
    train(*options.split(), "--output", "run")
    assert "is within chance of always answering the most frequent class (50.00 %)" in capsys.readouterr().err
