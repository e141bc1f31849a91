"""The strength with which MultiMix separates a batch's examples: the formula in `multimix`'s docstring."""

import pytest
import torch
import torch.nn.functional as nnf

from timm_multimix.functional import anisotropic_weights, dirichlet_weights, multimix_loss

B, C, N = 16, 5, 20_000


def weights(form: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    alpha = {"alpha 0.1": 0.1, "alpha 1": 1.0, "alpha 2": 2.0}
    if form in alpha:
        return dirichlet_weights(N, B, alpha[form], generator=generator).double()
    if form == "m 4":
        return dirichlet_weights(N, B, 1.0, m=4, generator=generator).double()
    return anisotropic_weights(N, B, 3.0, 0.1, generator=generator).double()


def centred_gradient(loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(loss, logits)
    return gradient - gradient.mean(0)


def strength(tuples: torch.Tensor) -> tuple[float, float]:
    """The literal computation's gradient between examples as a share of cross-entropy's, and the cosine."""
    torch.manual_seed(0)
    logits = (1e-3 * torch.randn(B, C, dtype=torch.float64)).requires_grad_()
    labels = torch.arange(B) % C
    targets = nnf.one_hot(labels, C).double()
    literal = nnf.cross_entropy(tuples @ logits, tuples @ targets)
    mixed = centred_gradient(literal, logits)
    clean = centred_gradient(nnf.cross_entropy(logits, labels), logits)
    share = (mixed * clean).sum() / clean.square().sum()
    return float(share), float(nnf.cosine_similarity(mixed.flatten(), clean.flatten(), dim=0))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 2.0])
def test_over_the_whole_batch_it_is_one_over_m_alpha_plus_one(alpha: float) -> None:
    share, cosine = strength(weights(f"alpha {alpha:g}"))
    assert share == pytest.approx(1 / (B * alpha + 1), rel=0.05)
    assert cosine > 0.98


@pytest.mark.parametrize("form", ["alpha 0.1", "alpha 1", "m 4", "target 3, rest 0.1"])
def test_in_general_it_goes_by_the_sum_of_squares(form: str) -> None:
    tuples = weights(form)
    expected = float(tuples.square().sum(1).mean() - 1 / B) * B / (B - 1)
    share, cosine = strength(tuples)
    assert share == pytest.approx(expected, rel=0.05)
    assert cosine > 0.98


def test_a_leading_example_makes_it_an_order_of_magnitude_stronger() -> None:
    assert strength(weights("target 3, rest 0.1"))[0] > 5 * strength(weights("alpha 1"))[0]


def unbounded_direction(tuples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels: right classes, behind an offset that makes class 0 win in every mixed example."""
    labels = torch.arange(B) % C
    logits = nnf.one_hot(labels, C).double()
    behind = (tuples @ logits)[:, 1:].amax(1) - (tuples @ logits)[:, 0]
    logits[:, 0] += behind.max() + 0.01
    return logits, labels


def test_scaling_the_part_between_examples_has_no_minimum() -> None:
    """k (MM(W) - MM(mean W)) + MM(mean W): along one direction the loss falls without end once k is large.

    MM(W) is the loss of the tuples W, and never negative; the difference is. So such a scale is not offered.
    """
    tuples = weights("alpha 1")[:500]
    mean = tuples.mean(0, keepdim=True)
    logits, labels = unbounded_direction(tuples)

    def scaled(k: float, length: float) -> float:
        whole, centre = (multimix_loss(length * logits, labels, rows) for rows in (tuples, mean))
        return float(k * (whole - centre) + centre)

    assert scaled(1, 1e4) > 0
    far, farther = scaled(64, 1e4), scaled(64, 2e4)
    assert far < 0
    assert farther == pytest.approx(2 * far, rel=0.01)
