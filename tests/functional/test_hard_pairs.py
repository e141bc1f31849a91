"""Hard-label criteria through the pair form."""

import pytest
import torch
import torch.nn.functional as nnf
from torch import nn

from timm_multimix import functional as F
from timm_multimix.errors import UsageError

B, C = 7, 5
PAIRS = [
    F.none,
    F.sample_pairing,
    F.mixup,
    F.cutmix,
    F.fmix,
    F.gridmix,
    F.smoothmix,
    F.resizemix,
    F.multi_mixup,
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(function, seed=0):
    x = torch.rand(B, 2, 6, 5, generator=generator(9))
    return function.draw(x, generator=generator(seed))


def chosen():
    draws = [drawn(function, seed) for seed, function in enumerate([F.none, F.mixup, F.cutmix])]
    return F.choose_per_sample(draws, [1, 1, 1], B, torch.device("cpu"), generator(2))


def all_draws():
    per_sample = F.mixup.draw(torch.rand(B, 3), per_sample=True)
    return [*map(drawn, PAIRS), per_sample, chosen()]


@pytest.mark.parametrize("draw", all_draws(), ids=lambda draw: type(draw).__name__)
def test_pairs_say_what_the_targets_say(draw):
    targets = torch.rand(B, C)
    lam, own, partner = F.pair_form(draw, B, targets.device)
    expected = lam[:, None] * targets[own] + (1 - lam[:, None]) * targets[partner]
    torch.testing.assert_close(draw.targets(targets), expected)


@pytest.mark.parametrize("draw", all_draws(), ids=lambda draw: type(draw).__name__)
def test_cross_entropy_in_pair_form_is_that_of_the_mixed_targets(draw):
    """It is linear in the targets, so that the two forms agree, values and gradients."""
    labels = torch.randint(C, (B,), generator=generator())
    soft = draw.targets(F.soft_targets(labels, C))
    logits = torch.randn(len(soft), C, dtype=torch.float64, requires_grad=True)
    ours = F.HardPairs(nn.CrossEntropyLoss(reduction="none")).mixed(draw, logits, labels)
    theirs = F.soft_loss(logits, soft)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


CRITERIA = {
    "margin": lambda z, y: nnf.multi_margin_loss(z, y, reduction="none"),
    "focal": lambda z, y: (
        (1 - z.softmax(1).gather(1, y[:, None])[:, 0]) ** 2 * nnf.cross_entropy(z, y, reduction="none")
    ),
    "class weights": nn.CrossEntropyLoss(torch.arange(1.0, C + 1), reduction="none"),
    "zero-one": lambda z, y: (z.argmax(1) != y).float(),
}


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("function", [F.mixup, F.cutmix, F.multi_mixup])
def test_any_hard_criterion_is_the_formula(function, criterion):
    """lam crit(z, y) + (1 - lam) crit(z, y_partner), one row at a time."""
    draw, crit = drawn(function), CRITERIA[criterion]
    labels = torch.randint(C, (B,), generator=generator(1))
    rows = len(draw.targets(torch.eye(B)))
    logits, total = torch.randn(rows, C), 0.0
    for row in range(rows):
        lam = draw.lam.expand(-1, B).flatten()[row] if function is F.multi_mixup else draw.lam
        i = row % B
        for weight, label in ((lam, labels[i]), (1 - lam, labels[draw.partner[i]])):
            total += weight.item() * crit(logits[row : row + 1], label[None]).item()
    assert F.HardPairs(crit).mixed(draw, logits, labels).item() == pytest.approx(total / rows, rel=1e-5)


def test_one_hot_targets_and_positions():
    """One-hot targets are class indices; at r positions each has its example's pair."""
    draw, r = drawn(F.mixup), 3
    labels, logits = torch.randint(C, (B,)), torch.randn(B, r, C)
    hard = F.HardPairs(nn.CrossEntropyLoss(reduction="none"))
    expected = torch.stack([hard.mixed(draw, logits[:, j], labels) for j in range(r)]).mean()
    hot = nnf.one_hot(labels, C).float()
    for targets in (labels, hot, hot[:, None].expand(B, r, C)):
        torch.testing.assert_close(hard.mixed(draw, logits, targets), expected)
    torch.testing.assert_close(hard(logits[:, 0], hot), nnf.cross_entropy(logits[:, 0], labels))


def test_tuples_have_no_pairs():
    draw = F.zeta_mixup.draw(torch.rand(B, 3))
    with pytest.raises(UsageError, match=r"need a draw of pairs, .* got a draw of Tuples"):
        F.HardPairs(nn.CrossEntropyLoss(reduction="none")).mixed(
            draw, torch.randn(B, C), torch.zeros(B).long()
        )


def test_a_criterion_that_takes_the_mean_is_refused():
    with pytest.raises(UsageError, match=r"each of 7 examples, as with reduction='none', got shape \[\]"):
        F.HardPairs(nn.CrossEntropyLoss())(torch.randn(B, C), torch.zeros(B).long())
