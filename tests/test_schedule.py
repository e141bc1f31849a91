"""Schedules of mixing."""

import pytest
import torch
from torch import nn

from timm_multimix import MixTask
from timm_multimix.errors import UsageError
from timm_multimix.schedule import parse_schedule


def on_steps(text, total):
    schedule = parse_schedule(text)
    return [step for step in range(total) if schedule.active(step / total)]


def test_sample_pairings_schedule_is_the_papers():
    """Epochs 0-100 off, 100-800 in cycles of 8 on and 2 off, 800-1000 off."""
    expected = [epoch for epoch in range(100, 800) if (epoch - 100) % 10 < 8]
    assert on_steps("0.1-0.8:0.008/0.002", 1000) == expected


def test_it_scales_with_the_length_of_training():
    for total in (500, 2_000, 10_000):
        share = len(on_steps("0.1-0.8:0.008/0.002", total)) / total
        assert share == pytest.approx(0.56, abs=0.01)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-1", range(10)),
        ("0-0.5", range(5)),
        ("0.2-0.4, .8-1", [2, 3, 8, 9]),
        ("0-1:.1/.1", range(0, 10, 2)),
    ],
)
def test_windows(text, expected):
    assert on_steps(text, 10) == list(expected)


@pytest.mark.parametrize(
    "text", ["", "on", "0.5", "0.8-0.1", "0-2", "0-1:0/0.1", "0-1:0.1", "0-1,,", "-1-1", "0-1:1/2"]
)
def test_mistakes(text):
    with pytest.raises(UsageError, match="mix schedule must be START-STOP"):
        parse_schedule(text)


def test_a_task_mixes_by_the_schedule():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    task = MixTask(model, "mixup", schedule="0.5-1", total_steps=8).train()
    images, labels = torch.rand(6, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2])
    hard = [task(images, labels)["target"].amax(1).eq(1).all().item() for _ in range(8)]
    assert hard[:4] == [True] * 4
    assert not all(hard[4:])


def test_a_schedule_needs_the_length_of_training():
    with pytest.raises(UsageError, match=r"total_steps must be .* got None"):
        MixTask(nn.Linear(2, 2), "mixup", schedule="0-1")


@pytest.mark.parametrize("end", ["x", "1"])
def test_a_long_text_is_cut_in_the_message(end):
    with pytest.raises(UsageError, match=r", got '0\.5-0\.4000+ \[\.\.\.] \d+[x1]'$") as refused:
        parse_schedule("0.5-0.4" + "0" * 30_000 + end)
    assert len(str(refused.value)) < 300
