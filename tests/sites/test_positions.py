"""Dense logits over timm's heads: against the ordinary output, and against slow loops in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.sites.heads import MODELS, POOL_AND_LINEAR, average, build, every_model, snapshot
from timm_multimix.functional import position_attention
from timm_multimix.sites.positions import dense_forward


@every_model
@pytest.mark.parametrize("training", [True, False])
def test_logits_and_buffers_are_those_of_the_plain_pass(name, training):
    model, images = build(name)
    model.train(training)
    start = snapshot(model)
    torch.manual_seed(1)
    expected = average(model(images))
    after_plain = snapshot(model)
    model.load_state_dict(start)
    torch.manual_seed(1)
    dense = dense_forward(model, images)
    assert torch.equal(dense.logits, expected)
    for key, value in model.state_dict().items():
        assert torch.equal(value, after_plain[key]), key
    assert all(part.training == training for part in model.modules())


def slow_positions(model, images, layout, prefix):
    """Position by position, image by image, through the head in eval mode."""
    branches, rows = slow_features(model, images, layout), []
    for place in range(prefix, branches[-1].shape[1]):
        tokens = [branch[:, prefix:].mean(dim=1) for branch in branches[:-1]] + [branches[-1][:, place]]
        several = [torch.stack([token] * (prefix + 1), dim=1) for token in tokens]
        one = several if layout == "branches" else several[0]
        if layout == "branches" and not prefix:
            one = [token.transpose(1, 2) for token in several]
        elif layout in ("nchw", "nhwc"):
            one = one[:, 0, :, None, None] if layout == "nchw" else one[:, 0, None, None, :]
        heads = [model.forward_head(cut(one, i)) for i in range(len(images))]
        rows.append(torch.cat(heads))
    return torch.stack(rows), branches[-1][:, prefix:]


def cut(features, i):
    """The features of image i alone."""
    return [part[i : i + 1] for part in features] if isinstance(features, list) else features[i : i + 1]


def slow_features(model, images, layout):
    """The features as tokens [b, t, d], of each branch."""
    if layout == "class tokens":
        ends = []
        handle = model.transformers[-1].register_forward_hook(lambda _, args, out: ends.append(out))
        model(images)
        handle.remove()
        tokens = [ends[0][1], ends[0][0].flatten(2).transpose(1, 2)]
        return [model.norm(torch.cat(tokens, dim=1))]
    features = model.forward_features(images)
    if layout == "branches":
        first = isinstance(model.get_classifier(), tuple)  # efficientvim: [b, d, t]
        return [part.transpose(1, 2) if first else part for part in features]
    if layout == "nhwc":
        features = features.permute(0, 3, 1, 2)
    return [features if layout == "tokens" else features.flatten(2).permute(0, 2, 1)]


def slow_attention(tokens):
    attention = torch.empty(tokens.shape[1], tokens.shape[0], dtype=tokens.dtype)
    for i, example in enumerate(tokens):
        mean = example.mean(dim=0)
        scores = [max(float(token @ mean), 0.0) + 1e-6 for token in example]
        attention[:, i] = torch.tensor(scores, dtype=tokens.dtype) / sum(scores)
    return attention


@every_model
def test_agrees_with_a_loop_over_positions(name):
    model, images = build(name)
    model, images = model.double().eval(), images.double()
    _, _, layout, prefix, class_tokens = MODELS[name]
    with torch.no_grad():
        dense = dense_forward(model, images)
        expected, tokens = slow_positions(model, images, layout, prefix)
        attention = slow_attention(tokens)
        if class_tokens:
            expected = torch.cat([expected, model(images)[None]])
            attention = torch.cat([attention, torch.ones(1, 3)])
    assert dense.class_tokens is class_tokens
    torch.testing.assert_close(dense.positions, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(dense.attended(), attention, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", POOL_AND_LINEAR)
@pytest.mark.parametrize("training", [True, False])
def test_mean_of_positions_is_the_logits_of_pooling_and_linear_heads(name, training):
    model, images = build(name)
    dense = dense_forward(model.train(training), images)
    assert len(dense.positions) > 1
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", ["coat_tiny", "crossvit_tiny_240"])
def test_mean_of_positions_is_the_logits_where_several_branches_are_averaged(name):
    model, images = build(name, global_pool="avg")
    dense = dense_forward(model, images)
    assert len(dense.positions) > 1
    assert not dense.class_tokens
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)


@every_model
def test_gradients_are_finite_and_reach_what_the_plain_loss_reaches(name):
    model, images = build(name)
    model, images = model.double(), images.double()
    # Weights that begin with zeros (classifiers, layer scales) would hide what lies before them.
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1) if not parameter.any() else None

    def reached(loss):
        model.zero_grad(set_to_none=True)
        loss.backward()
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert all(g.isfinite().all() for g in gradients.values())
        return {n for n, g in gradients.items() if g.norm() > 1e-12}

    labels = torch.arange(3)
    plain = reached(F.cross_entropy(average(model(images)), labels))
    dense = dense_forward(model, images)
    rows = dense.positions.flatten(0, 1)
    assert plain - reached(F.cross_entropy(rows, labels.repeat(len(dense.positions)))) == set()


@every_model
def test_attention_is_a_distribution_and_has_no_gradient(name):
    model, images = build(name)
    dense = dense_forward(model, images)
    spatial = dense.attended()[:-1] if dense.class_tokens else dense.attended()
    assert not dense.attended().requires_grad
    assert (spatial > 0).all()
    torch.testing.assert_close(spatial.sum(dim=0), torch.ones(3))
    assert dense.attended().shape == dense.positions.shape[:2]
    assert not dense.class_tokens or torch.equal(dense.attended()[-1], torch.ones(3))


def test_attention_of_known_embeddings():
    embeddings = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]])  # r 3, b 1; the mean is (1/3, 1/3)
    torch.testing.assert_close(
        position_attention(embeddings), torch.tensor([[2 / 3], [1 / 3], [0.0]]), atol=2e-6, rtol=0
    )
    uniform = position_attention(torch.zeros(4, 2, 3, dtype=torch.float64))
    assert torch.equal(uniform, torch.full((4, 2), 0.25, dtype=torch.float64))


def test_attention_with_gradient_reaches_the_backbone():
    model, images = build("test_resnet")
    dense = dense_forward(model, images, attention_grad=True)
    dense.attended()[0].sum().backward()
    assert model.fc.weight.grad is None
    assert model.conv1[0].weight.grad.norm() > 0
