"""Dense logits of heads with batch norms: every position by the statistics of the pooled features."""

import pytest
import torch
from torch import nn

from tests.sites.heads import HEAD_NORMS, build
from timm_multimix.sites.positions import dense_forward


@pytest.mark.parametrize("name", ["levit_128s", "repvit_m0_9"])
def test_positions_of_a_norm_in_the_head_use_the_pooled_statistics(name):
    model, images = build(name)
    model, images = model.double(), images.double()
    features = model.forward_features(images)
    dense = dense_forward(model, images)
    tokens = features if features.ndim == 3 else features.flatten(2).transpose(1, 2)
    pooled, heads = tokens.mean(dim=1), []
    for head in (p for p in model.modules() if type(p).__name__ == "NormLinear"):
        norm, linear = head.bn, list(head.children())[-1]
        scale = norm.weight / (pooled.var(dim=0, correction=0) + norm.eps).sqrt()
        heads.append(linear((tokens - pooled.mean(dim=0)) * scale + norm.bias))
    expected = (sum(heads) / len(heads)).transpose(0, 1)
    torch.testing.assert_close(dense.positions, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", HEAD_NORMS[:4])
def test_statistics_carry_their_gradient(name):
    """With it, the mean of the positions moves as the logits do, wherever the rest of the head is linear."""
    model, images = build(name)
    model, images = model.double(), images.double()
    dense = dense_forward(model, images)
    weights = [p for n, p in model.named_parameters() if p.ndim > 1]
    direct = torch.autograd.grad(dense.logits.square().sum(), weights, retain_graph=True, allow_unused=True)
    mean = torch.autograd.grad(dense.positions.mean(dim=0).square().sum(), weights, allow_unused=True)
    for a, b in zip(direct, mean, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


def test_a_norm_in_eval_mode_inside_a_training_model_keeps_its_running_statistics():
    model, images = build("levit_128s")
    norms = [
        part for n, part in model.named_modules() if n.startswith("head") and isinstance(part, nn.BatchNorm1d)
    ]
    assert norms
    for norm in norms:
        norm.eval()
        nn.init.uniform_(norm.running_mean)
    dense = dense_forward(model, images)
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)
    assert not any(norm.training for norm in norms)
