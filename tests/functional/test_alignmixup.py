"""AlignMixup against the definition of optimal transport and loops written from the paper."""

import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_sinkhorn(cost, epsilon, iterations):
    """Scale the rows and columns of exp(-cost / epsilon) in turn until both have the uniform marginals."""
    plan = torch.exp(-cost / epsilon)
    r, s = plan.shape
    for _ in range(iterations):
        plan = plan / plan.sum(1, keepdim=True) / r
        plan = plan / plan.sum(0, keepdim=True) / s
    return plan


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 1)])
def test_sinkhorn_is_scaling_in_turn(shape):
    cost = torch.rand(3, *shape, dtype=torch.float64, generator=generator())
    plans = F.sinkhorn(cost, 0.3, 50)
    for each, plan in zip(cost, plans, strict=True):
        torch.testing.assert_close(plan, slow_sinkhorn(each, 0.3, 50))
        torch.testing.assert_close(plan.sum(1), torch.full((shape[0],), 1 / shape[0], dtype=torch.float64))
        torch.testing.assert_close(plan.sum(0), torch.full((shape[1],), 1 / shape[1], dtype=torch.float64))


def test_sinkhorn_tends_to_the_best_assignment_and_stays_finite():
    """For epsilon to 0 the plan is the permutation of least cost; costs of 1e4 do not overflow."""
    cost = 1e4 * torch.rand(2, 6, 6, dtype=torch.float64, generator=generator())
    for each, plan in zip(cost, F.sinkhorn(cost, 20.0, 3_000), strict=True):
        rows, columns = linear_sum_assignment(each.numpy())
        assert plan[rows, columns].mul(6).min() > 0.99


def slow_align(x, draw):
    """Sections 3.2 and 3.3, position by position."""
    lam, mixed = draw.lam.item(), torch.zeros_like(x)
    for i, j in enumerate(draw.partner.tolist()):
        r = x.shape[1]
        cost = torch.tensor([[((x[i, p] - x[j, q]) ** 2).sum() for q in range(r)] for p in range(r)])
        plan = r * slow_sinkhorn(cost.double(), 0.1, 100)
        for p in range(r):
            if draw.partner_moves:
                weights = plan[p] / plan[p].sum()
                mixed[i, p] = lam * x[i, p] + (1 - lam) * sum(weights[q] * x[j, q] for q in range(r))
            else:
                weights = plan[:, p] / plan[:, p].sum()
                mixed[i, p] = lam * sum(weights[q] * x[i, q] for q in range(r)) + (1 - lam) * x[j, p]
    return mixed


def test_alignmixup_is_the_formula_both_ways():
    x, targets = 0.4 * torch.randn(5, 4, 3, dtype=torch.float64, generator=generator()), torch.rand(5, 6)
    moved = set()
    for seed in range(6):
        mixed, draw = F.alignmixup(x, generator=generator(seed))
        moved.add(bool(draw.partner_moves))
        torch.testing.assert_close(mixed, slow_align(x, draw), rtol=1e-6, atol=1e-7)
        expected = draw.lam * targets + (1 - draw.lam) * targets[draw.partner]
        torch.testing.assert_close(draw.targets(targets), expected)
    assert moved == {False, True}


def test_a_shuffled_copy_is_aligned_back():
    """The partner's positions are the example's own in another order: aligned, they are the example."""
    own = 3 * torch.randn(1, 6, 8, generator=generator())
    x = torch.cat([own, own[:, torch.randperm(6, generator=generator())]])
    for seed in range(20):
        mixed, draw = F.alignmixup(x, generator=generator(seed))
        if draw.partner.tolist() == [1, 0]:
            places = x if draw.partner_moves else x.flip(0)
            torch.testing.assert_close(mixed, places, rtol=1e-3, atol=1e-3)


def test_one_position_is_plain_interpolation():
    x = torch.randn(4, 1, 3)
    mixed, draw = F.alignmixup(x, generator=generator())
    torch.testing.assert_close(mixed, draw.lam * x + (1 - draw.lam) * x[draw.partner])


def test_gradient_flows_through_the_features_and_not_the_plan():
    x = torch.randn(3, 4, 5, requires_grad=True)
    mixed, draw = F.alignmixup(x, generator=generator())
    mixed.sum().backward()
    assert not draw.plan.requires_grad
    # Every output feature is a convex combination of inputs, so that the gradients add up to one each.
    assert x.grad.sum().item() == pytest.approx(60, rel=1e-4)


def test_lambda_and_direction_have_their_distributions():
    """Beta(2, 2): mean 1/2, variance 1/20; the direction is a fair coin."""
    x = torch.zeros(1, 1, 1)
    draws = [F.alignmixup.draw(x, iterations=1, generator=generator(seed)) for seed in range(2_000)]
    lam = torch.cat([draw.lam for draw in draws])
    assert lam.mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(0.05 / 2_000))
    assert lam.var().item() == pytest.approx(0.05, rel=0.15)
    share = sum(bool(draw.partner_moves) for draw in draws) / 2_000
    assert share == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(2_000))


def test_needs_positions():
    with pytest.raises(ValueError, match=r"\[b, r, d\], got \[2, 3, 4, 4\]"):
        F.alignmixup(torch.rand(2, 3, 4, 4))
