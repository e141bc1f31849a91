"""Comparisons of many directories, and their messages."""

import logging
from pathlib import Path

import pytest

from timm_multimix.comparison.pictures import last_part
from timm_multimix.comparison.run import finished, result_of
from timm_multimix.comparison.trials import Trial
from timm_multimix.errors import UsageError
from timm_multimix.figures import marker
from timm_multimix.options.comparison import parse_comparison_options

from .runs import make_run


def test_directories_that_are_no_finished_runs_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = make_run(tmp_path / "good", "none", 0, 50.0)
    half = make_run(tmp_path / "half", "none", 1, 50.0)
    (half / "summary.json").unlink()
    (tmp_path / "other").mkdir()
    with caplog.at_level(logging.WARNING):
        assert finished([half, good, tmp_path / "other"]) == [good]
    assert [record.getMessage() for record in caplog.records] == [
        f"{half} is an unfinished run; left out",
        f"{tmp_path / 'other'} is no run; left out",
    ]
    assert finished([half]) == [half]  # for the error that says what is missing
    with pytest.raises(UsageError, match="nowhere is not a run's directory: there is no such directory"):
        finished([good, tmp_path / "nowhere"])


def test_the_result_of_a_trial_as_text(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "run", "none", 0, 81.25)
    assert result_of(Trial("none", 0, directory, [])) == "top-1 81.25 %"


@pytest.mark.parametrize("name", ["epochs", "lr", "recovery-interval"])
def test_options_of_training_without_dashes(name: str) -> None:
    words = ["--mix", "none", "--mix", "mixup", "--output", "x", f"--{name}", "1"]
    with pytest.raises(UsageError, match=f"--{name}; options of training follow --, as in .*-- --{name}"):
        parse_comparison_options(words)


@pytest.mark.parametrize(
    ("epochs", "start", "shown"),
    [
        ([1, 2, 3], 2 / 3, [1, 2, 3]),
        ([1, 2], 2 / 3, [1, 2]),
        (list(range(1, 31)), 2 / 3, list(range(21, 31))),
        (list(range(1, 31)), 0.0, list(range(1, 31))),
    ],
)
def test_epochs_of_the_last_part(epochs: list[int], start: float, shown: list[int]) -> None:
    assert last_part(epochs, start) == shown


def test_few_points_are_marked() -> None:
    assert (marker([1]), marker(range(13))) == ("o", "")
