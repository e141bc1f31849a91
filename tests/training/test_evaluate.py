"""Evaluation counts every valid sample once."""

import pytest
import torch
from accelerate import Accelerator

from timm_multimix.training.evaluate import count, evaluate


def test_counts_of_valid_samples() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0, 0.0, -1.0, -2.0], [0.0, 5, 4, 3, 2, 1], [9, 0, 0, 0, 0, 0]])
    labels = torch.tensor([0, 0, 0])
    loss, right, right5, samples = count(logits, labels, torch.tensor([True, True, False])).tolist()
    assert (right, right5, samples) == (1, 1, 2)
    expected = torch.nn.functional.cross_entropy(logits[:2].double(), labels[:2], reduction="sum")
    assert loss == pytest.approx(expected.item())


def test_evaluation_puts_the_model_back_and_ignores_padding() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = torch.randn(5, 1, 2, 2), torch.tensor([0, 1, 2, 3, 0])
    valid = torch.tensor([True, True, True, False, False])
    result = evaluate(model, [(images, labels, valid)], Accelerator(), torch.contiguous_format)
    logits = model.eval()(images)
    assert result.samples == 3
    assert result.top5 == 100
    assert result.top1 == pytest.approx(100 * (logits.argmax(1) == labels)[:3].double().mean().item())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
