"""Attacks: within their budget, equal to those by hand, and stronger with a larger budget."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from timm_multimix.evaluation.attacks import attack, log_odds
from timm_multimix.evaluation.classifier import Classifier
from timm_multimix.evaluation.outputs import accuracy, accuracy_under_attack
from timm_multimix.options.evaluation import ATTACKS

CONFIG = {"mean": (0.2, 0.5, 0.7), "std": (0.3, 0.1, 0.9), "input_size": (3, 4, 4)}


def small_network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5))


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(count, 3, 4, 4, generator=generator)
    # some pixels at the ends of the range, where a step may go one way only
    return pixels.mul(1.4).sub(0.2).clamp(0, 1), torch.randint(5, (count,), generator=generator)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(ATTACKS), st.floats(1e-4, 1.0), st.integers(1, 5), st.integers(0, 10**6), st.booleans()
)
def test_attacked_images_stay_in_the_budget_and_in_the_range(
    method: str, epsilon: float, steps: int, seed: int, double: bool
) -> None:
    model = Classifier(small_network(seed), CONFIG, None)
    pixels, labels = batch(seed)
    if double:
        model, pixels = model.double(), pixels.double()
    before = pixels.clone()
    attacked = attack(method, model, pixels, labels, epsilon, steps, torch.Generator().manual_seed(seed))
    assert torch.equal(pixels, before)
    assert (attacked.shape, attacked.dtype) == (pixels.shape, pixels.dtype)
    assert (attacked - pixels).abs().max() <= epsilon * (1 + 1e-6) + 1e-7
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert not attacked.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_linear_model_by_hand() -> None:
    # logits x . w_c of two classes: the loss of class 0 rises along sign(w_1 - w_0), the loss of class 1 back
    linear = nn.Linear(4, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.0, 1.0, 0.25, 0.0]])
    pixels = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.05, 0.95, 0.5, 0.5]])
    labels = torch.tensor([0, 1])
    expected = torch.tensor([[0.4, 0.6, 0.4, 0.5], [0.15, 0.85, 0.6, 0.5]])
    for method in ("fgsm", "ifgsm"):
        assert torch.allclose(attack(method, linear, pixels, labels, 0.1), expected, atol=1e-6)
    expected = torch.tensor([[0.2, 0.8, 0.2, 0.5], [0.35, 0.65, 0.8, 0.5]])
    assert torch.allclose(attack("fgsm", linear, pixels, labels, 0.3), expected)


def test_a_random_start_reaches_the_same_corner_of_a_linear_model() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    pixels, labels = torch.full((2, 3, 4, 4), 0.5), torch.tensor([0, 1])
    generator = torch.Generator().manual_seed(0)
    found = attack("pgd", linear, pixels, labels, 0.1, generator=generator)
    assert torch.allclose((found - pixels).abs(), torch.tensor(0.1), atol=1e-6)


def test_the_normalisation_is_inside() -> None:
    model = Classifier(small_network(0), CONFIG, None)
    pixels, labels = batch(1)
    # by hand: the gradient in normalised space has the same sign, as deviations are positive
    normalised = (pixels - model.mean) / model.std
    normalised.requires_grad_(True)
    loss = nn.functional.cross_entropy(model.model(normalised), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, normalised)
    expected = (pixels + 0.05 * gradient.sign()).clamp(0, 1)
    assert torch.allclose(attack("fgsm", model, pixels, labels, 0.05), expected, atol=1e-6)


def test_one_step_is_fgsm_and_more_are_not_worse() -> None:
    model = Classifier(small_network(3), CONFIG, None)
    pixels, labels = batch(4, 32)

    def loss(x: Tensor) -> float:
        return nn.functional.cross_entropy(model(x), labels).item()

    one = attack("fgsm", model, pixels, labels, 0.1)
    assert torch.equal(attack("ifgsm", model, pixels, labels, 0.1, steps=1), one)
    assert loss(pixels) < loss(one) <= loss(attack("ifgsm", model, pixels, labels, 0.1, steps=20)) + 1e-3


def test_a_generator_decides_where_pgd_starts() -> None:
    model, (pixels, labels) = Classifier(small_network(0), CONFIG, None), batch(0)
    generators = (torch.Generator().manual_seed(seed) for seed in (0, 0, 1))
    first, again, other = (attack("pgd", model, pixels, labels, 0.1, 1, each) for each in generators)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_log_odds_have_the_gradient_of_the_cross_entropy_but_for_its_length() -> None:
    logits = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    logits.requires_grad_(True)
    p = logits.softmax(1)[range(6), labels]
    assert torch.allclose(log_odds(logits, labels), ((1 - p) / p).log())
    (found,) = torch.autograd.grad(log_odds(logits, labels).sum(), logits)
    (expected,) = torch.autograd.grad(nn.functional.cross_entropy(logits, labels, reduction="sum"), logits)
    assert torch.allclose(found * (1 - p)[:, None], expected)


def test_a_very_sure_model_still_has_a_gradient() -> None:
    # the cross-entropy of a margin of 160 is 0 and has no gradient in single precision
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    linear[1].weight.data = torch.tensor([[40.0] * 4, [-40.0] * 4])
    pixels, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    assert torch.allclose(attack("fgsm", linear, pixels, labels, 0.1), torch.full((1, 1, 2, 2), 0.4))


def test_a_model_of_no_use_has_no_gradient_to_follow() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * x.flatten(1)[:, :2]

    pixels, labels = batch(0)
    assert torch.equal(attack("fgsm", Constant(), pixels, labels % 2, 0.1), pixels)


@pytest.mark.parametrize("method", ATTACKS)
def test_accuracy_falls_with_the_budget(method: str, digits_network: Classifier, digits: tuple) -> None:
    found = [accuracy(digits_network, [digits])] + [
        accuracy_under_attack(digits_network, digits_network, [digits], method, n / 255, 10, 0)
        for n in (4, 8, 16, 32, 64)
    ]
    assert found[0] > 90
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] - 50


def test_transfer_is_weaker_than_the_white_box(
    digits_network: Classifier, other_digits_network: Classifier, digits: tuple
) -> None:
    clean, white, black = (
        accuracy(digits_network, [digits]),
        *(
            accuracy_under_attack(digits_network, source, [digits], "ifgsm", 32 / 255, 10, 0)
            for source in (digits_network, other_digits_network)
        ),
    )
    assert white < black < clean
    assert not math.isclose(white, black)
