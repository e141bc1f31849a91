"""Checks of labels, by one function for mixing functions, mixers and the task."""

from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix import MixTask, create_mixer
from timm_multimix.errors import UsageError
from timm_multimix.functional import soft_targets

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
ONE_HOT = torch.eye(10)

WRONG = {
    "column": (
        torch.zeros(4, 1, dtype=torch.long),
        r"got torch.int64 of shape \[4, 1\]",
    ),
    "one-hot rows of another width": (ONE_HOT[:4, :7], r"or \[b, 10\], got .* of shape \[4, 7\]"),
    "one-hot integers of another width": (ONE_HOT[:4, :7].long(), r"or \[b, 10\], got .* of shape \[4, 7\]"),
    "numbers": (torch.zeros(4), r"got torch.float32 of shape \[4\]"),
    "positions": (torch.zeros(4, 2, 2, dtype=torch.long), r"of shape \[4, 2, 2\]"),
    "too large": (torch.tensor([0, 1, 2, 10]), "labels must be from 0 to 9, got 0 to 10"),
    "to be left out": (torch.tensor([0, 1, 2, -100]), "labels must be from 0 to 9, got -100 to 2"),
    "too few": (torch.tensor([0, 1, 2]), r"for each of 4 images, got shape \[3\]"),
    "a number": (torch.tensor(3), r"for each of 4 images, got shape \[\]"),
}


@pytest.mark.parametrize(("labels", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("training", [True, False])
def test_a_task_refuses_them(labels: torch.Tensor, words: str, training: bool) -> None:
    task = MixTask(timm.create_model("test_resnet", num_classes=10), "none").train(training)
    with pytest.raises(ValueError, match=words):
        task(IMAGES, labels)
    assert task(IMAGES, torch.tensor([0, 1, 2, 9]))["target"].equal(ONE_HOT[[0, 1, 2, 9]])


@pytest.mark.parametrize(("labels", "words"), WRONG.values(), ids=WRONG)
def test_a_mixer_refuses_them(labels: torch.Tensor, words: str) -> None:
    mixer = create_mixer("none", num_classes=10)
    with pytest.raises(UsageError, match=words):
        mixer(IMAGES, labels)
    assert mixer.step == 0
    assert mixer(IMAGES, torch.tensor([0, 1, 2, 9]))[1].equal(ONE_HOT[[0, 1, 2, 9]])
    with pytest.raises(UsageError, match=words):  # in later calls too, on the CPU
        mixer(IMAGES, labels)


def test_a_column_of_indices_is_no_target_of_one_class() -> None:
    with pytest.raises(UsageError, match="class indices must have shape"):
        create_mixer("none")(IMAGES, torch.zeros(4, 1, dtype=torch.long))
    assert create_mixer("none")(IMAGES, torch.ones(4, 1))[1].equal(torch.ones(4, 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_classes": "4"}, "num_classes must be an integer of at least 1, got '4'"),
        ({"num_classes": 4.0}, "num_classes must be .* got 4.0"),
        ({"num_classes": 0}, "num_classes must be .* got 0"),
        ({"num_classes": True}, "num_classes must be .* got True"),
        ({"smoothing": 2.0}, "smoothing must be a number from 0 to 1, got 2.0"),
        ({"smoothing": -0.5}, "smoothing must be a number from 0 to 1, got -0.5"),
        ({"smoothing": "a"}, "smoothing must be a number from 0 to 1, got 'a'"),
        ({"smoothing": float("nan")}, "smoothing must be .* got nan"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
    ],
)
def test_messages_about_arguments_are_uniform(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create_mixer("mixup", **arguments)
    if "num_classes" not in arguments:
        with pytest.raises(UsageError, match=words):
            MixTask(timm.create_model("test_resnet"), "mixup", **arguments)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(labels=st.lists(st.integers(-3, 8), min_size=1, max_size=9), classes=st.integers(2, 6))
def test_indices_of_classes_pass_and_no_others(labels: list[int], classes: int) -> None:
    if min(labels) >= 0 and max(labels) < classes:
        assert soft_targets(torch.tensor(labels), classes).argmax(1).tolist() == labels
    else:
        with pytest.raises(ValueError, match=f"got {min(labels)} to {max(labels)}$"):
            soft_targets(torch.tensor(labels), classes)


def test_a_single_logit_is_smoothed_with_a_half() -> None:
    labels = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(soft_targets(labels, 1, smoothing=0.2), torch.tensor([[0.1], [0.9]]))
    task = MixTask(torch.nn.Linear(3, 1), "none", criterion="sigmoid", smoothing=0.2)
    torch.testing.assert_close(task(torch.randn(2, 3), labels)["target"], torch.tensor([[0.1], [0.9]]))


def test_values_are_not_smoothed() -> None:
    with pytest.raises(UsageError, match=r"smoothing must be 0 with mse, whose targets are values, got 0\.2"):
        MixTask(torch.nn.Linear(3, 1), "none", criterion="mse", smoothing=0.2)
