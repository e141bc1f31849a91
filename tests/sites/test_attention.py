"""The attention recorded in a training pass, against the attention of a block computed by hand."""

import pytest
import timm
import torch

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.randomness import draw_generator
from timm_multimix.sites.attention import WatchedAttention
from timm_multimix.sites.guides import compute_guide

LABELS = torch.tensor([0, 1, 2, 3, 1])


def images(side=8):
    return torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))


def model(name="test_vit", side=64, **options):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=4, img_size=side, **options)


def by_hand(block, tokens):
    """softmax(q k^T / sqrt(d)) of a block's attention on its tokens [b, t, d], heads one by one."""
    attention, x = block.attn, block.norm1(tokens)
    q, k, _ = attention.qkv(x).chunk(3, dim=-1)
    heads = attention.num_heads
    parts = zip(q.chunk(heads, -1), k.chunk(heads, -1), strict=True)
    return torch.stack([(a @ b.mT / b.shape[-1] ** 0.5).softmax(-1) for a, b in parts], 1)


def last_tokens(network, x):
    """The input tokens of the last block."""
    seen = []
    handle = network.blocks[-1].register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    network(x)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_class_tokens_row_of_the_last_block(fused, training):
    network, x = model().train(training), images(64)
    for block in network.blocks:
        block.attn.fused_attn = fused
    with WatchedAttention(network, x) as watched:
        output = network(x)
    torch.testing.assert_close(output, network(x))
    row = by_hand(network.blocks[-1], last_tokens(network, x))[:, :, 0, 1:].mean(1)
    expected = (row / row.sum(-1, keepdim=True)).unflatten(1, (4, 4))
    torch.testing.assert_close(watched.class_attention(), expected.detach(), rtol=1e-4, atol=1e-6)


def test_without_class_token_it_is_the_mean_of_the_positions_rows():
    network, x = model(class_token=False, global_pool="avg").eval(), images(64)
    with WatchedAttention(network, x) as watched:
        network(x)
    expected = by_hand(network.blocks[-1], last_tokens(network, x)).mean((1, 2)).unflatten(1, (4, 4))
    torch.testing.assert_close(watched.class_attention(), expected.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fused", [True, False])
def test_received_attention_is_the_mean_of_the_positions_rows(fused):
    """With a class token, too, which pays attention but is not asked."""
    network, x = model().eval(), images(64)
    for block in network.blocks:
        block.attn.fused_attn = fused
    rows = by_hand(network.blocks[-1], last_tokens(network, x))[:, :, 1:, 1:].mean((1, 2))
    expected = (rows / rows.sum(-1, keepdim=True)).unflatten(1, (4, 4))
    found = compute_guide("received", network, x, LABELS)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-6)


def test_a_class_token_that_the_head_does_not_read_is_not_asked():
    network, x = model(global_pool="avg").eval(), images(64)
    with WatchedAttention(network, x) as watched:
        network(x)
    rows = by_hand(network.blocks[-1], last_tokens(network, x))[:, :, 1:, 1:].mean((1, 2))
    expected = (rows / rows.sum(-1, keepdim=True)).unflatten(1, (4, 4))
    torch.testing.assert_close(watched.class_attention(), expected.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "deit_tiny_distilled_patch16_224",
        "cait_xxs24_224",
        "eva02_tiny_patch14_224",
        "beit_base_patch16_224",
        "vit_tiny_patch16_dinov3_qkvb",
        "vit_small_patch14_reg4_dinov2",
        "xcit_nano_12_p8_224",
        "vit_base_patch16_siglip_224",
        "test_vit_relpos",
        "swin_tiny_patch4_window7_224",  # its last stage is one window
    ],
)
@pytest.mark.slow
def test_models_with_other_attention_train_too(name):
    side = 56 if "patch14" in name else 64
    network = timm.create_model(name, num_classes=4, **({} if "xcit" in name else {"img_size": side}))
    x = images(side)
    with WatchedAttention(network.train(), x) as watched:
        network(x)
    attention = watched.class_attention()
    assert attention.shape[0] == 5
    assert attention.shape[1] == attention.shape[2]
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(5))
    assert (attention >= 0).all()
    out = MixTask(network, "transmix").train()(x, LABELS)
    out["loss"].backward()
    assert out["loss"].isfinite()


@pytest.mark.parametrize("fused", [True, False])
def test_transmix_labels_by_the_attention_on_the_mixed_images(fused):
    network, x = small_vit(), images()
    network.blocks[0].attn.fused_attn = fused
    task = MixTask(network, "transmix(area=0)").train()
    seen = []
    network.patch_embed.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    out = task(x, LABELS)
    mixed = seen[-1]
    row = by_hand(network.blocks[0], last_tokens(network, mixed))[:, :, 0, 1:].mean(1)
    attention = (row / row.sum(-1, keepdim=True)).unflatten(1, (2, 2)).detach()
    draw = F.cutmix.draw(x, generator=draw_generator(0, 0, x.device))
    torch.testing.assert_close(draw(x), mixed)
    expected = F.attended(draw, attention).targets(F.soft_targets(LABELS, 4))
    torch.testing.assert_close(out["target"], expected)
    assert not torch.allclose(expected, draw.targets(F.soft_targets(LABELS, 4)))


def test_transmix_adds_no_pass_after_the_first_step():
    network, forwards = small_vit(), []
    network.patch_embed.register_forward_hook(lambda *_: forwards.append(1))
    task = MixTask(network, "transmix").train()
    task(images(), LABELS)
    forwards.clear()
    task(images(), LABELS)
    assert len(forwards) == 1


def test_the_first_look_at_a_model_leaves_no_trace():
    network, x = small_vit().train(), images()
    torch.manual_seed(3)
    WatchedAttention(network, x)
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(2))
    assert all(module.training for module in network.modules())
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("size", [64, 32])  # at 32 pixels the features of test_resnet have one position
@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_models_without_global_attention_are_an_error(name, size):
    network = timm.create_model(name, num_classes=4)
    with pytest.raises(UsageError, match=r"must have attention over all positions, .* got a \w+$"):
        MixTask(network, "transmix").train()(images(size), LABELS)


def test_models_without_features_are_an_error():
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    with pytest.raises(UsageError, match=r"attention over all positions, .* got a Sequential"):
        MixTask(plain, "transmix").train()(images(), LABELS)
    with pytest.raises(UsageError, match=r"attention over all positions, .* got a SmallNet"):
        MixTask(SmallNet(), "transmix").train()(images(), LABELS)
