"""Attention of positions against loops, through dense mixing too."""

import pytest
import torch

from tests.task.tasks import small_model
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Mixture
from timm_multimix.mixers.tuples import dense_multimix
from timm_multimix.sites.positions import dense_forward


def slow_score(kind, z, everywhere):
    """The score of one position's embedding z, of those of all positions of its image."""
    if kind == "uniform":
        return 1.0
    if kind == "gap":
        return max(0.0, sum(z.tolist()) / len(z))
    return max(0.0, sum(float(a) * float(b) for a, b in zip(z, everywhere.mean(0), strict=True)))


def slow_attention(kind, embeddings):
    attention = torch.empty(embeddings.shape[:2], dtype=embeddings.dtype)
    for i in range(embeddings.shape[1]):
        scores = [slow_score(kind, z, embeddings[:, i]) + 1e-6 for z in embeddings[:, i]]
        attention[:, i] = torch.tensor(scores, dtype=embeddings.dtype) / sum(scores)
    return attention


@pytest.mark.parametrize("kind", ["product", "gap", "uniform"])
def test_attention_is_the_score_normalised_over_the_positions(kind):
    embeddings = torch.randn(5, 3, 8, dtype=torch.float64)
    embeddings[:, 0] -= 5  # no mean over channels is positive, and no position is unlike the others
    torch.testing.assert_close(F.position_attention(embeddings, kind), slow_attention(kind, embeddings))
    features = embeddings.permute(1, 2, 0).unflatten(2, (5, 1))
    maps = F.feature_attention(features, kind)
    torch.testing.assert_close(maps.flatten(1).T, slow_attention(kind, embeddings))


def test_half_precision_is_computed_in_float32():
    embeddings = torch.randn(4, 2, 6).bfloat16()
    expected = F.position_attention(embeddings.float())
    assert torch.equal(F.position_attention(embeddings), expected)


def test_a_function_gives_the_scores():
    embeddings = torch.rand(4, 2, 6)
    scores = torch.arange(8.0).view(4, 2)
    expected = (scores + 1e-6) / (scores + 1e-6).sum(0)
    torch.testing.assert_close(F.position_attention(embeddings, lambda z: scores), expected)
    with pytest.raises(ValueError, match=r"attention must be scores \[4, 2\], got \[2, 4\]"):
        F.position_attention(embeddings, lambda z: scores.T)


@pytest.mark.parametrize("kind", ["product", "gap", "uniform"])
def test_dense_mixing_weighs_by_the_attention_asked_for(kind):
    """The loss is that of weights made from this attention by hand, on the step's own factors."""
    model, images, labels = small_model(), torch.randn(6, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0, 1])
    task = MixTask(model, f"dense_multimix(n=50, p=1, attention={kind!r})", seed=4).train()
    loss = task(images, labels)["loss"]
    dense = dense_forward(model, images)
    embeddings = model.forward_features(images).flatten(2).permute(2, 0, 1).detach()
    attention = slow_attention(kind, embeddings)
    mine = Mixture(dense_multimix(n=50, p=1, attention=lambda z: attention), "mine")
    torch.testing.assert_close(loss, MixTask(model, mine, seed=4).train()(images, labels)["loss"])
    task.step = 0
    weights = F.dense_weights(attention, n=50, alpha=(0.5, 2.0), generator=task._generator(images))
    torch.testing.assert_close(loss, F.multimix_loss(dense.positions, labels, weights))


def test_an_unknown_attention_says_what_is_allowed():
    with pytest.raises(UsageError, match="must be one of product, gap, uniform or a function, got 'cam'"):
        create_mixer("dense_multimix(attention='cam')")
    with pytest.raises(UsageError, match="must be one of product, gap, uniform or a function, got \\[3\\]"):
        create_mixer("dense_multimix(attention=[3])")
