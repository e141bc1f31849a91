"""Dense logits under autocast, checkpointing, channels_last, compilation, distillation heads and dropout."""

import pytest
import torch

from tests.sites.heads import build, snapshot
from timm_multimix.sites.positions import dense_forward


@pytest.mark.parametrize("name", ["deit_tiny_distilled_patch16_224", "levit_128s"])
def test_a_distilled_models_two_outputs_are_averaged(name):
    model, images = build(name)
    model.set_distilled_training(True)
    outputs = model(images)
    dense = dense_forward(model, images)
    torch.testing.assert_close(dense.logits, (outputs[0] + outputs[1]) / 2)
    assert dense.positions.shape[1:] == (3, 5)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "levit_128s", "swin_tiny_patch4_window7_224"])
def test_bfloat16_autocast(name):
    model, images = build(name)
    exact = dense_forward(model, images)
    model, _ = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        dense = dense_forward(model, images)
    assert dense.class_tokens is exact.class_tokens
    assert dense.attention.dtype is torch.float32
    tolerance = {"rtol": 0, "atol": 0.2 * float(exact.positions.detach().abs().max())}
    torch.testing.assert_close(dense.positions.float(), exact.positions, **tolerance)
    dense.positions.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["test_resnet", "levit_128s", "test_vit"])
def test_checkpointing_gives_the_same_gradients(name):
    gradients = []
    for checkpointing in (False, True):
        model, images = build(name)
        model.set_grad_checkpointing(checkpointing)
        dense_forward(model, images).positions.square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_channels_last():
    model, images = build("test_resnet")
    expected = dense_forward(model.eval(), images).positions
    dense = dense_forward(
        model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    )
    torch.testing.assert_close(dense.positions, expected)


def test_a_compiled_model_is_unwrapped_and_compiled_parts_are_used():
    model, images = build("levit_128s")
    expected = dense_forward(model.eval(), images)
    features = torch.compile(model.forward_features, backend="eager")
    head = torch.compile(model.forward_head, backend="eager")
    dense = dense_forward(torch.compile(model, backend="eager"), images, features=features, head=head)
    torch.testing.assert_close(dense.positions, expected.positions)
    model.train()
    start = snapshot(model)
    expected, after = dense_forward(model, images), snapshot(model)
    model.load_state_dict(start)
    dense = dense_forward(model, images, features=features, head=head)
    torch.testing.assert_close(dense.positions, expected.positions)
    torch.testing.assert_close(dict(model.state_dict()), after)


def test_dropout_in_the_head_differs_between_positions():
    model, images = build("test_resnet", drop_rate=0.5)
    features = torch.ones(2, model.num_features, 2, 2)
    dense = dense_forward(model, images[:2], features=lambda _: features)
    assert not torch.equal(dense.positions[0], dense.positions[1])
