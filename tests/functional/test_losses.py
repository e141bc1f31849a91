"""Soft targets and losses against torch's own and against timm's."""

import pytest
import torch
import torch.nn.functional as nnf
from timm.data.mixup import mixup_target

from timm_multimix import functional as F


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_targets_equal_timms(smoothing):
    labels = torch.randint(7, (9,))
    expected = mixup_target(labels, 7, lam=1.0, smoothing=smoothing)
    torch.testing.assert_close(F.soft_targets(labels, 7, smoothing), expected)


def test_targets_given_as_such_are_smoothed_too():
    targets = torch.rand(4, 5)
    assert F.soft_targets(targets, 5) is targets
    torch.testing.assert_close(F.soft_targets(targets, 5, 0.2), 0.8 * targets + 0.04)
    assert F.soft_targets(torch.eye(5).long(), 5).dtype == torch.float32


@pytest.mark.parametrize("labels", [torch.rand(4), torch.rand(4, 3), torch.rand(4, 5, 1)])
def test_other_labels_raise(labels):
    with pytest.raises(ValueError, match="must be"):
        F.soft_targets(labels, 5)


@pytest.mark.parametrize("smoothing", [-0.1, 2, float("nan")])
def test_smoothing_is_a_part(smoothing):
    with pytest.raises(ValueError, match="smoothing must be from 0 to 1, got"):
        F.soft_targets(torch.arange(3), 3, smoothing)


@pytest.mark.parametrize("targets", [torch.arange(4), torch.zeros(4, 1), torch.zeros(1, 4)])
def test_targets_of_another_shape_raise(targets):
    """They would be broadcast: class indices [b] against as many classes give a number that is no loss."""
    with pytest.raises(ValueError, match=r"targets must be of the logits' shape \[4, 4\]"):
        F.soft_loss(torch.zeros(4, 4), targets)


GUIDES = {"tokenmix": [torch.rand(4, 2, 2)], "co_mixup": [torch.rand(4, 8, 8)]}


@pytest.mark.parametrize(
    "name", ["mixup", "cutmix", "resizemix", "multi_mixup", "multimix", "zeta_mixup", *GUIDES]
)
def test_class_indices_are_not_mixed(name):
    draw = getattr(F, name).draw(torch.zeros(4, 3, 8, 8), *GUIDES.get(name, []))
    with pytest.raises(ValueError, match=r"must be \[b, c\], which soft_targets makes of class indices"):
        draw.targets(torch.arange(4))


def test_losses_equal_torchs():
    logits, targets = torch.randn(6, 5), torch.rand(6, 5).softmax(-1)
    torch.testing.assert_close(F.soft_loss(logits, targets), nnf.cross_entropy(logits, targets))
    bce = nnf.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(F.soft_loss(logits, targets, "sigmoid"), bce)
    torch.testing.assert_close(F.soft_loss(logits, targets, "mse"), nnf.mse_loss(logits, targets))
    torch.testing.assert_close(
        F.soft_loss(logits, targets, nnf.cross_entropy), nnf.cross_entropy(logits, targets)
    )
    with pytest.raises(ValueError, match="criterion must be softmax, sigmoid, mse or a callable"):
        F.soft_loss(logits, targets, "hinge")


def draws(b, r):
    pairs = F.Pairs(torch.rand(b), torch.randperm(b))
    tuples = F.Tuples(F.dirichlet_weights(30, b, 1.0))
    dense = F.Tuples(F.dense_weights(torch.rand(r, b), n=30))
    return {
        "identity": F.Identity(),
        "pairs": pairs,
        "keep": F.KeepTargets(pairs),
        "tuples": tuples,
        "dense": dense,
    }


@pytest.mark.parametrize("criterion", ["softmax", "sigmoid", "mse", nnf.cross_entropy])
@pytest.mark.parametrize("name", ["identity", "pairs", "keep", "tuples", "dense"])
@pytest.mark.parametrize("own_targets", [False, True])
def test_mixed_loss_is_the_mean_over_positions(name, criterion, own_targets):
    b, r, c = 5, 3, 4
    torch.manual_seed(0)
    draw, logits = draws(b, r)[name], torch.randn(r, b, c)
    targets = torch.rand(*[r] * own_targets, b, c).softmax(-1)
    expected = []
    for j in range(r):
        at = F.Tuples(draw.weights[j]) if name == "dense" else draw
        mine = targets[j] if own_targets else targets
        expected.append(F.soft_loss(at(logits[j]), at.targets(mine), criterion))
    loss = F.mixed_loss(draw, logits, targets, criterion)
    torch.testing.assert_close(loss, torch.stack(expected).mean())


def test_a_class_that_the_head_masks_is_left_out():
    logits = torch.randn(4, 5)
    logits[:, 4] = -torch.inf
    leaves = [logits.clone().requires_grad_() for _ in range(2)]
    labels = torch.tensor([0, 1, 2, 3])
    ours, theirs = F.soft_loss(leaves[0], F.soft_targets(labels, 5)), nnf.cross_entropy(leaves[1], labels)
    ours.backward()
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
    assert F.soft_loss(logits, F.soft_targets(torch.tensor([0, 1, 2, 4]), 5)).isinf()


@pytest.mark.parametrize("name", ["mixup", "multimix"])
def test_gradient_flows_to_targets_that_require_it(name):
    """Also where a target is 0, and by MultiMix's own loss: against the formula."""
    logits, weights = (
        torch.randn(5, 3, dtype=torch.float64),
        torch.rand(7, 5, dtype=torch.float64).softmax(-1),
    )
    targets = torch.eye(5, 3, dtype=torch.float64).requires_grad_()
    draw = F.Pairs(torch.tensor([0.3]), torch.arange(5).roll(1)) if name == "mixup" else F.Tuples(weights)
    (found,) = torch.autograd.grad(F.mixed_loss(draw, logits, targets), targets)
    mixed = draw(logits)
    (expected,) = torch.autograd.grad(
        -(draw.targets(targets) * mixed.log_softmax(-1)).sum(-1).mean(), targets
    )
    torch.testing.assert_close(found, expected)
    assert found.abs().min() > 0
