"""The decoupled regularizer against its formula, one row at a time."""

import math

import pytest
import torch
import torch.nn.functional as nnf

from tests.networks import SmallNet
from timm_multimix import MixTask
from timm_multimix import functional as F

TARGETS = torch.tensor(
    [
        [0.7, 0.3, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.2, 0.0, 0.3, 0.5],
        [0.25, 0.35, 0.15, 0.25],
        [0.0, 0.0, 0.4, 0.6],
    ]
)


def slow_loss(logits, targets, eta, power, both):
    """-sum t log p - eta sum_i t_i^power log(p_i / (1 - sum of p_j of the other mixed classes)), a mean."""
    losses = []
    for z, t in zip(logits.softmax(-1).tolist(), targets.tolist(), strict=True):
        loss = -sum(share * math.log(p) for share, p in zip(t, z, strict=True))
        mixed = [i for i in range(len(t)) if t[i] > 0]
        counted = mixed if both else [max(mixed, key=lambda i: t[i])]
        for i in counted if len(mixed) > 1 else []:
            others = sum(z[j] for j in mixed if j != i)
            loss -= eta * t[i] ** power * math.log(z[i] / (1 - others))
        losses.append(loss)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("power", [0.0, 0.5])
def test_it_is_the_formula(power, both):
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    loss = F.Decoupled(0.3, power, both).loss(logits, TARGETS)
    assert loss.item() == pytest.approx(slow_loss(logits.detach(), TARGETS, 0.3, power, both), rel=1e-6)
    assert torch.autograd.gradcheck(lambda z: F.Decoupled(0.3, power, both).loss(z, TARGETS.double()), logits)


def test_smoothing_mixes_no_class():
    """With smoothed labels the same classes are mixed, and the regularizer is the same."""
    logits, smooth = torch.randn(5, 4), TARGETS * 0.8 + 0.05

    def regularizer(targets, **options):
        return F.Decoupled(1.0, **options).loss(logits, targets) - nnf.cross_entropy(logits, targets)

    torch.testing.assert_close(regularizer(smooth, smoothing=0.2), regularizer(TARGETS))
    torch.testing.assert_close(F.Decoupled(0.0).loss(logits, smooth), nnf.cross_entropy(logits, smooth))


@pytest.mark.parametrize("spec", ["mixup", "cutmix(per_sample=True)", "multimix(m=2, p=1)", "none"])
def test_it_is_the_criterion_of_any_mixer(spec):
    torch.manual_seed(0)
    task = MixTask(SmallNet(), spec, criterion=F.Decoupled(0.1, smoothing=0.1), smoothing=0.1).train()
    out = task(torch.rand(6, 3, 8, 8), torch.arange(6) % 4)
    out["loss"].backward()
    assert out["loss"].isfinite()
    assert all(p.grad.isfinite().all() for p in task.trainable_module.parameters())
