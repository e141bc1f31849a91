"""Cuts: no path bypasses the mixing, whatever a layer returns."""

from typing import NamedTuple

import pytest
import timm
import torch
from torch import nn

from timm_multimix import MixTask
from timm_multimix.errors import UsageError
from timm_multimix.functional import Masks, Pairs
from timm_multimix.sites.cuts import find_cut, find_layer, stage_names
from timm_multimix.sites.hidden import MixingPoints

ORDER = torch.tensor([1, 2, 0])
SWAP = Pairs(torch.tensor([0.0]), ORDER)  # each example becomes its partner


@pytest.mark.parametrize(
    ("name", "size", "stages"),
    [
        ("efficientvim_m1", 64, 3),
        ("efficientvim_m1_dist", 64, 3),
        ("coat_tiny", 32, 4),
        ("hrnet_w18_small", 64, 5),
    ],
)
def test_swapping_examples_at_a_stage_swaps_their_logits(name, size, stages):
    torch.manual_seed(0)
    options = {"img_size": size} if name == "coat_tiny" else {}
    model = timm.create_model(name, num_classes=5, **options).double()
    for module in model.modules():  # by the batch's own statistics examples are far apart, and may be swapped
        module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1) if not parameter.any() else None
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    assert len(stage_names(model)) == stages
    points = MixingPoints(model, range(1, stages + 1))
    with torch.no_grad():
        expected = model(images)[ORDER]
        for stage in range(1, stages + 1):
            with points.mixing(stage, 3, lambda x: SWAP):
                logits = model(images)
            assert (logits - expected).norm() < 1e-6 * (expected - expected[ORDER]).norm(), stage


def test_gradients_flow_through_inputs_that_are_mixed():
    model = timm.create_model("efficientvim_m1", num_classes=5)
    task = MixTask(model, "manifold_mixup(layers=3)").train()
    task(torch.randn(4, 3, 64, 64), torch.arange(4))["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.stages[0].parameters())


class Pair(NamedTuple):
    left: torch.Tensor
    right: dict


class Holding(nn.Module):
    """A layer whose output is held as `hold` says."""

    feature_info = ({"module": "body", "num_chs": 5},)

    def __init__(self, hold):
        super().__init__()
        self.body = nn.Identity()
        self.hold = hold

    def forward(self, x):
        return self.body(self.hold(x))


@pytest.mark.parametrize(
    "hold",
    [
        lambda x: (x, (2, 3)),
        lambda x: [x, [2 * x, None]],
        lambda x: {"map": x, "size": 3},
        lambda x: Pair(x, {"more": [x.flatten(1)], "index": torch.arange(3)}),
    ],
    ids=["tuple", "lists", "dict", "named tuple"],
)
def test_every_tensor_of_an_output_is_mixed(hold):
    x, model = torch.randn(3, 5, 2, 2), Holding(hold)
    points = MixingPoints(model, ["body"])
    with points.mixing("body", 3, lambda _: SWAP):
        mixed = model(x)
    expected = hold(x[ORDER])
    assert type(mixed) is type(expected)
    assert str(mixed) == str(expected)


@pytest.mark.parametrize("hold", [lambda x: "text", lambda x: x.repeat(2, 1, 1, 1), lambda x: (x, x[:1])])
def test_outputs_that_are_not_of_the_examples_are_refused(hold):
    model = Holding(hold)
    points = MixingPoints(model, ["body"])
    with (
        pytest.raises(UsageError, match="must have batch dimension 3"),
        points.mixing("body", 3, lambda _: SWAP),
    ):
        model(torch.randn(3, 5, 2, 2))


@pytest.mark.parametrize("last", [False, True])
def test_the_channels_of_a_stage_are_found_by_their_number(last):
    """The network does not say where its channels are; a mask cuts in space all the same."""
    x, model = torch.randn(3, 5, 2, 4), Holding(lambda x: x.movedim(1, 3) if last else x)
    keep = torch.tensor([1.0, 1, 0, 0]).expand(1, 1, 2, 4)
    draw = Masks(keep, torch.tensor([0.5]), ORDER)
    points, shapes = MixingPoints(model, [1]), []
    with points.mixing(1, 3, lambda x: shapes.append(x.shape) or draw):
        mixed = model(x)
    expected = torch.cat([x[..., :2], x[ORDER][..., 2:]], dim=3)
    assert shapes == [x.shape]
    assert torch.equal(mixed, expected.movedim(1, 3) if last else expected)


def test_a_list_of_modules_is_cut_behind_its_last():
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU())])
    assert find_layer(model, "blocks") is model.blocks[1][1]
    assert find_cut(model, "blocks/1").output == "blocks.1"


def test_a_sequential_that_does_more_than_run_its_children_is_cut_behind_itself():
    class Joined(nn.Sequential):
        def forward(self, x):
            return torch.cat([x, super().forward(x)], dim=1)

    model = nn.Sequential(Joined(nn.Linear(2, 2)), nn.Linear(4, 2))
    assert find_layer(model, "0") is model[0]
    points, x = MixingPoints(model, ["0"]), torch.randn(3, 2)
    with points.mixing("0", 3, lambda _: SWAP):
        mixed = model(x)
    torch.testing.assert_close(mixed, model(x)[ORDER])
