"""States without pickle."""

import math

import pytest
import torch

from timm_multimix.training.packing import pack, unpack


def test_trees_come_back_as_they_were() -> None:
    last = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    tree = {
        "state": {0: {"step": torch.tensor(3.0), "momentum": last}, 1: {}},
        "groups": [{"betas": (0.9, 0.999), "lr": 0.1 + 0.2, "name": None, "on": True, "n": 2**60}],
        "odd": [math.inf, -0.0, "tensor", ()],
    }
    back = unpack(*pack(tree))
    momentum = back["state"][0].pop("momentum")
    assert torch.equal(momentum, last)
    assert momentum.stride() == last.stride()
    assert torch.equal(back["state"][0].pop("step"), tree["state"][0].pop("step"))
    tree["state"][0].pop("momentum")
    assert back == tree
    assert math.copysign(1, back["odd"][1]) == -1


def test_values_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        pack({"a": [1j]})
