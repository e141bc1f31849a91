"""Mixing points: where, how often, and what happens under compilation and gradient checkpointing."""

import copy

import pytest
import timm
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.sites.hidden import MixingPoints, find_layer


def images(size=32, b=4):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(0))


def fixed_draw(b=4):
    return F.Pairs(torch.tensor([0.3]), torch.arange(b).roll(1))


@pytest.mark.parametrize("layer", [1, 2, "layer3", "layer2.0"])
def test_mixing_at_a_layer_is_running_the_two_halves(layer):
    """Against two passes: the layer's clean output, mixed, fed to the rest of the network by hand."""
    model, x = timm.create_model("test_resnet", num_classes=5).eval().double(), images().double()
    points, draw = MixingPoints(model, [layer]), fixed_draw()
    clean = {}
    handle = find_layer(model, layer).register_forward_hook(lambda m, a, out: clean.update(out=out))
    model(x)
    handle.remove()
    with points.mixing(layer, 4, lambda x: draw):
        mixed = model(x)
    handle = find_layer(model, layer).register_forward_hook(lambda m, a, out: draw(clean["out"]))
    torch.testing.assert_close(mixed, model(x), rtol=1e-12, atol=1e-13)
    handle.remove()
    assert (mixed - model(x)).abs().max() > 1e-8


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test_vit", {"img_size": 32}),
        ("test_convnext", {}),
        ("test_efficientnet", {}),
        ("test_nfnet", {}),
        ("swin_tiny_patch4_window7_224", {"img_size": 64, "window_size": 2, "depths": (1, 1, 1, 1)}),
        ("levit_128s", {"img_size": 64}),
        ("deit_tiny_distilled_patch16_224", {"img_size": 32, "depth": 2}),
    ],
)
def test_every_stage_of_many_architectures(name, options):
    model = timm.create_model(name, num_classes=5, **options)
    stages = range(1, len(model.feature_info) + 1)
    size = options.get("img_size", 64)
    for layer in stages:
        task = MixTask(copy.deepcopy(model), f"manifold_mixup(layers={layer})").train()
        out = task(images(size), torch.arange(4))
        out["loss"].backward()
        assert out["loss"].isfinite()
        assert (out["target"].amax(1) < 1).any()


def test_cutmix_in_channels_last_features_cuts_in_space():
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", num_classes=5, img_size=64, window_size=2, depths=(1, 1, 1, 1)
    )
    points = MixingPoints(model, [1])
    stage, clean, mixed = find_layer(model, 1), {}, {}
    stage.register_forward_hook(lambda m, a, out: mixed.update(out=out))
    keep = torch.zeros(1, 1, 16, 16)
    keep[..., :5, :] = 1
    draw = F.Masks(keep, torch.tensor([5 / 16]), torch.arange(4).roll(1))
    model.eval()(images(64))
    clean.update(mixed)
    with points.mixing(1, 4, lambda x: draw):
        model(images(64))
    assert clean["out"].shape == (4, 16, 16, 96)
    expected = torch.cat([clean["out"][:, :5], clean["out"].roll(1, 0)[:, 5:]], dim=1)
    assert torch.equal(mixed["out"], expected)


def test_an_idle_point_changes_nothing():
    model = timm.create_model("test_resnet", num_classes=5).eval()
    expected = model(images())
    points = MixingPoints(model, [1, 2])
    assert torch.equal(model(images()), expected)
    with points.mixing(1, 4, lambda x: fixed_draw()):
        model(images())
    assert torch.equal(model(images()), expected)


def test_a_layer_that_is_not_reached_or_reached_twice_raises():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice, self.never, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.twice(self.twice(x)))

    for layer, times in (("twice", 2), ("never", 0)):
        task = MixTask(Odd(), f"manifold_mixup(layers={layer!r})").train()
        with pytest.raises(UsageError, match=f"reached it {times} times"):
            task(torch.rand(4, 4), torch.tensor([0, 1, 0, 1]))


def test_unknown_layers_are_listed():
    model = timm.create_model("test_resnet")
    for layer in (9, "layer9"):
        with pytest.raises(UsageError, match=r"stages .* 1 \(act1\), 2 \(layer1\)"):
            find_layer(model, layer)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_blocks_repeat_the_draw(reentrant):
    class Net(nn.Module):
        def __init__(self, checkpointing):
            super().__init__()
            self.checkpointing = checkpointing
            self.stem, self.block, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x):
            x = self.stem(x)
            block = lambda x: self.block(x).tanh()  # noqa: E731
            return self.head(
                checkpoint(block, x, use_reentrant=reentrant) if self.checkpointing else block(x)
            )

    def gradients(checkpointing):
        torch.manual_seed(0)
        task = MixTask(Net(checkpointing), "manifold_mixup(layers='block')").train()
        x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2))
        task(x, torch.tensor([0, 1, 2, 0]))["loss"].backward()
        return [p.grad for p in task.trainable_module.parameters()]

    for plain, recomputed in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize(
    ("name", "options"), [("test_resnet", {}), ("test_vit", {"img_size": 32}), ("test_convnext", {})]
)
def test_timms_own_checkpointing(name, options):
    def gradients(checkpointing):
        torch.manual_seed(0)
        model = timm.create_model(name, num_classes=5, **options)
        model.set_grad_checkpointing(checkpointing)
        task = MixTask(model, "manifold_mixup(layers=(1, 2))", seed=3).train()
        for _ in range(3):
            task(images(), torch.arange(4))["loss"].backward()
        return [p.grad for p in model.parameters()]

    for plain, recomputed in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(plain, recomputed, rtol=1e-4, atol=1e-5)


def test_two_passes_before_their_backward_are_refused_under_checkpointing():
    """The block that is run again for the first would have the second one's draw."""
    model = timm.create_model("test_resnet", num_classes=5)
    model.set_grad_checkpointing(True)
    task = MixTask(model, "manifold_mixup(layers='stage 2')").train()
    losses = [task(images(), torch.arange(4))["loss"] for _ in range(2)]
    with pytest.raises(UsageError, match="must have backward called for each training call"):
        sum(losses).backward()
    task(images(), torch.arange(4))["loss"].backward()


def test_all_layers_are_chosen_and_the_input_is_one():
    model = timm.create_model("test_resnet", num_classes=5)
    task = MixTask(model, "manifold_mixup")
    chosen = []
    for step in range(60):
        task.step = step
        mixer = task.choose_step(step).mixer
        chosen.append((mixer.place, mixer.layers))
    assert set(chosen) == {("input", (0,)), ("hidden", ("stage 1",)), ("hidden", ("stage 2",))}
    assert min(map(chosen.count, set(chosen))) > 8


def test_an_output_that_does_not_begin_with_the_examples_is_refused():
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", num_classes=5, img_size=64, window_size=4, depths=(1, 1, 1, 1)
    )
    task = MixTask(model, "sample_pairing(place='hidden', layers='layers.0.blocks.0.attn')").train()
    with pytest.raises(UsageError, match="must have batch dimension 4"):
        task(images(64), torch.arange(4))


@pytest.mark.parametrize(
    "mix", ["cutmix(place='hidden', layers=('stage 2',))", "catch_up_mix(layers=('stage 2',), p=1)"]
)
def test_layers_with_maps_of_several_sizes_are_only_blended(mix):
    network, labels = timm.create_model("hrnet_w18_small", num_classes=5), torch.tensor([0, 1, 2, 3])
    with pytest.raises(
        UsageError, match=r"layer 'stage 2' must have outputs of one shape .*, got \[.*\] and \[.*; choose"
    ):
        MixTask(network, mix).train()(images(64), labels)
    assert (
        MixTask(network, "manifold_mixup(layers=('stage 2',))").train()(images(64), labels)["loss"].isfinite()
    )
