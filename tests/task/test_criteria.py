"""MixTask with other criteria and other labels: against the formula, on the draw that the step made."""

import pytest
import torch
import torch.nn.functional as nnf
from timm.loss import BinaryCrossEntropy, LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from torch import nn

from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Context
from timm_multimix.randomness import draw_generator

B, FEATURES, C = 6, 9, 4
INPUT = ["mixup", "mixup(per_sample=True)", "zeta_mixup", "multi_mixup(k=2)", "per_sample(mixup | none)"]
EMBEDDING = ["multimix(n=7, p=1)", "multimix(n=7, m=2, p=1)", "mixup(place='embedding')"]


def network(c=C):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 12), nn.ReLU(), nn.Linear(12, c))


def data(seed=0):
    return torch.randn(B, FEATURES, generator=torch.Generator().manual_seed(seed))


def mixed(task, x, targets):
    """Logits and targets of the mixed examples at the task's first step, made as the definition reads."""
    mixer = task.mixture.branches[0][1].mixer
    context = Context(draw_generator(0, 0, x.device))
    if mixer.place == "input":
        draw = mixer.sample(x, context)
        return task.trainable_module(draw(x)), draw.targets(targets), draw
    logits = task.trainable_module(x)
    draw = mixer.sample(logits, context)
    return draw(logits), draw.targets(targets), draw


def focal_loss(logits, targets, gamma=2.0):
    """(1 - p)^gamma times the cross-entropy, for every class of soft targets (arXiv:1708.02002)."""
    log_p = logits.log_softmax(-1)
    return -(targets * (1 - log_p.exp()) ** gamma * log_p).sum(-1).mean()


@pytest.mark.parametrize("mix", INPUT + EMBEDDING)
@pytest.mark.parametrize(
    ("criterion", "formula"),
    [
        ("softmax", lambda z, t: -(t * z.log_softmax(-1)).sum(-1).mean()),
        ("sigmoid", lambda z, t: -(t * z.sigmoid().log() + (1 - t) * (-z).sigmoid().log()).mean()),
        ("mse", lambda z, t: (z - t).square().mean()),
        (focal_loss, focal_loss),
        (SoftTargetCrossEntropy(), lambda z, t: nnf.cross_entropy(z, t)),
        (BinaryCrossEntropy(smoothing=0.0), nnf.binary_cross_entropy_with_logits),
        (nn.CrossEntropyLoss(), lambda z, t: nnf.cross_entropy(z, t)),
    ],
    ids=["softmax", "sigmoid", "mse", "focal", "timm's soft", "timm's binary", "torch's"],
)
def test_criteria_on_soft_targets(mix, criterion, formula):
    task, x, labels = MixTask(network(), mix, criterion=criterion).train(), data(), torch.arange(B) % C
    out = task(x, labels)
    logits, targets, _ = mixed(task, x, F.soft_targets(labels, C))
    torch.testing.assert_close(out["loss"], formula(logits, targets))
    out["loss"].backward()
    assert all(p.grad.isfinite().all() for p in task.trainable_module.parameters())


@pytest.mark.parametrize("mix", INPUT + EMBEDDING)
@pytest.mark.parametrize("criterion", ["softmax", "sigmoid", focal_loss])
def test_label_smoothing(mix, criterion):
    """Smoothed before mixing, which is the same as after."""
    smoothed = MixTask(network(), mix, criterion=criterion, smoothing=0.2).train()
    x, labels = data(), torch.arange(B) % C
    out = smoothed(x, labels)
    logits, targets, draw = mixed(smoothed, x, 0.8 * nnf.one_hot(labels, C) + 0.2 / C)
    torch.testing.assert_close(out["loss"], F.soft_loss(logits, targets, criterion))
    torch.testing.assert_close(targets, 0.8 * draw.targets(torch.eye(C)[labels]) + 0.2 / C)


@pytest.mark.parametrize("mix", INPUT + EMBEDDING)
@pytest.mark.parametrize("kind", ["bool", "integer", "float"])
def test_multi_label_data(mix, kind):
    """Several classes at once, or none."""
    labels = torch.rand(B, C, generator=torch.Generator().manual_seed(3)) < 0.4
    labels[0] = False
    given = {"bool": labels, "integer": labels.long(), "float": labels.float()}[kind]
    task, x = MixTask(network(), mix, criterion="sigmoid").train(), data()
    out = task(x, given)
    logits, targets, _ = mixed(task, x, labels.float())
    torch.testing.assert_close(out["loss"], nnf.binary_cross_entropy_with_logits(logits, targets))
    torch.testing.assert_close(
        task.eval()(x, given)["loss"],
        nnf.binary_cross_entropy_with_logits(task.trainable_module(x), labels.float()),
    )


@pytest.mark.parametrize("mix", INPUT + EMBEDDING)
@pytest.mark.parametrize("shape", [(B,), (B, 1), (B, 3)])
def test_regression(mix, shape):
    values = 5 * torch.randn(shape, generator=torch.Generator().manual_seed(3))
    task, x = MixTask(network(shape[1] if len(shape) > 1 else 1), mix, criterion="mse").train(), data()
    out = task(x, values)
    logits, targets, _ = mixed(task, x, values.view(B, -1))
    torch.testing.assert_close(out["loss"], nnf.mse_loss(logits, targets))
    plain = nnf.mse_loss(task.trainable_module(x), values.view(B, -1))
    torch.testing.assert_close(task.eval()(x, values)["loss"], plain)


def test_binary_labels_for_a_single_logit():
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    task, x = MixTask(network(1), "mixup", criterion="sigmoid").train(), data()
    out = task(x, labels)
    logits, targets, _ = mixed(task, x, labels.float().view(B, 1))
    torch.testing.assert_close(out["loss"], nnf.binary_cross_entropy_with_logits(logits, targets))


@pytest.mark.parametrize(
    "mix",
    [
        "none",
        "sample_pairing",
        "mixup",
        "mixup(per_sample=True)",
        "multi_mixup(k=3)",
        "mixup(place='embedding')",
        "per_sample(mixup | none)",
    ],
)
def test_hard_labels_through_pairs(mix):
    """torch's cross-entropy of class indices, row by row, weighted by lambda."""
    task, x, labels = MixTask(network(), mix, criterion=hard()).train(), data(), torch.arange(B) % C
    out = task(x, labels)
    logits, soft, draw = mixed(task, x, torch.eye(C)[labels])
    lam, own, partner = F.pair_form(draw, B, x.device)
    total = sum(
        lam[row] * nnf.multi_margin_loss(logits[row], labels[own[row]])
        + (1 - lam[row]) * nnf.multi_margin_loss(logits[row], labels[partner[row]])
        for row in range(len(soft))
    )
    torch.testing.assert_close(out["loss"], total / len(soft))
    out["loss"].backward()
    assert all(p.grad.isfinite().all() for p in task.trainable_module.parameters())
    plain = nnf.multi_margin_loss(task.trainable_module(x), labels)
    torch.testing.assert_close(task.eval()(x, labels)["loss"], plain)


def hard():
    return F.HardPairs(nn.MultiMarginLoss(reduction="none"))


def test_hard_labels_of_images_at_masks_and_layers():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, C))
    x, labels = torch.rand(B, 3, 9, 9), torch.arange(B) % C
    for mix in ("cutmix", "fmix", "gridmix", "smoothmix", "resizemix", "manifold_mixup(layers='0')"):
        pairs = MixTask(model, mix, criterion=F.HardPairs(nn.CrossEntropyLoss(reduction="none"))).train()
        soft = MixTask(model, mix).train()
        torch.testing.assert_close(pairs(x, labels)["loss"], soft(x, labels)["loss"])


def test_options_that_exclude_hard_labels():
    for option in ({"smoothing": 0.1}, {"distill": 0.5}):
        with pytest.raises(UsageError, match="must be 0 with HardPairs"):
            MixTask(network(), "mixup", criterion=hard(), **option)
    with pytest.raises(UsageError, match=r"class indices \[b\] with HardPairs, got \[6, 4\]"):
        MixTask(network(), "mixup", criterion=hard()).train()(data(), torch.eye(C)[torch.arange(B) % C])
    with pytest.raises(UsageError, match="need a draw of pairs"):
        MixTask(network(), "zeta_mixup", criterion=hard()).train()(data(), torch.arange(B) % C)


@pytest.mark.parametrize(
    ("criterion", "instead"),
    [
        (LabelSmoothingCrossEntropy(), "LabelSmoothingCrossEntropy; give smoothing in its place"),
        (nn.MultiMarginLoss(), "MultiMarginLoss; wrap it, .* as functional.HardPairs"),
        (nnf.nll_loss, "nll_loss; wrap it"),
    ],
)
def test_losses_that_take_class_indices_say_so_at_once(criterion, instead):
    with pytest.raises(UsageError, match=f"criterion must take soft targets .*, got {instead}"):
        MixTask(network(), mix="mixup", criterion=criterion)
