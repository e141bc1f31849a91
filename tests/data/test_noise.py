"""Label noise: how many labels are replaced, which, and by which."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix.data.noise import LabelFacts, NoisyLabels, add_label_noise
from timm_multimix.data.sources import ArraySource
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

KINDS = ("symmetric", "pair")


def source(count: int, classes: int) -> ArraySource:
    return ArraySource(np.zeros((count, 1, 1), dtype=np.uint8), np.arange(count) % classes, "data")


def labels(noisy: NoisyLabels) -> torch.Tensor:
    return torch.tensor([noisy[index][1] for index in range(len(noisy))])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 150), st.integers(2, 12), st.floats(0, 1), st.sampled_from(KINDS), st.integers(0, 2**62)
)
def test_exactly_the_part_is_replaced(count: int, classes: int, part: float, kind: str, seed: int) -> None:
    clean = source(count, classes)
    noisy = NoisyLabels(clean, classes, part, kind, seed)
    replaced, given_labels = noisy.replaced, labels(noisy)
    true = torch.arange(count) % classes
    assert int(replaced.sum()) == round(part * count)
    assert torch.equal(given_labels[~replaced], true[~replaced])
    assert (given_labels >= 0).all()
    assert (given_labels < classes).all()
    if kind == "pair":
        assert torch.equal(given_labels[replaced], (true[replaced] + 1) % classes)


def test_symmetric_noise_is_uniform_over_all_classes_whatever_the_true_one() -> None:
    noisy = NoisyLabels(source(8_000, 4), 4, 1.0, "symmetric", 0)
    true = torch.arange(8_000) % 4
    table = torch.zeros(4, 4).index_put((true, labels(noisy)), torch.tensor(1.0), accumulate=True)
    # each of 16 cells is expected 500 times; chi-squared with 9 degrees of freedom is above 33 once in 10^4
    assert ((table - 500) ** 2 / 500).sum() < 33
    assert (labels(noisy) == true).double().mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_a_function_of_the_seed(kind: str) -> None:
    first, again, other = (NoisyLabels(source(200, 10), 10, 0.4, kind, seed) for seed in (0, 0, 1))
    assert torch.equal(labels(first), labels(again))
    assert not torch.equal(first.replaced, other.replaced)
    assert torch.equal(labels(first).flip(0), torch.tensor([again[n][1] for n in reversed(range(200))]))


def test_replacement_is_independent_of_the_class() -> None:
    noisy = NoisyLabels(source(20_000, 10), 10, 0.3, "symmetric", 5)
    counts = torch.bincount(torch.arange(20_000)[noisy.replaced] % 10, minlength=10)
    assert (counts - 600).abs().max() < 100


@pytest.mark.parametrize("kind", KINDS)
def test_the_facts_are_the_given_label_the_true_one_and_whether_it_was_replaced(kind: str) -> None:
    noisy = NoisyLabels(source(300, 7), 7, 0.5, kind, 3)
    facts = LabelFacts(noisy)
    assert len(facts) == 300
    given_labels, true, replaced = torch.stack([facts[n][1] for n in range(300)]).unbind(1)
    assert torch.equal(given_labels, labels(noisy))
    assert torch.equal(true, torch.arange(300) % 7)
    assert torch.equal(replaced == 1, noisy.replaced)
    if kind == "symmetric":
        assert ((replaced == 1) & (given_labels == true)).any()


def test_images_and_names_stay(tmp_path: object) -> None:
    splits = load_splits("digits")
    noisy = add_label_noise(splits, "digits", 0.4, "pair", seed=1)
    assert noisy.evaluation is splits.evaluation
    assert np.array_equal(np.asarray(noisy.train[5][0]), np.asarray(splits.train[5][0]))
    assert noisy.train.describe(5) == splits.train.describe(5)
    changed = sum(noisy.train[n][1] != splits.train[n][1] for n in range(1437))
    assert changed == round(0.4 * 1437) == 575


def test_noise_without_effect_is_an_error() -> None:
    splits = load_splits("digits")
    with pytest.raises(
        UsageError, match=r"`label_noise` 0.0001 must replace a label .* got digits with 1437 training images"
    ):
        add_label_noise(splits, "digits", 0.0001, "symmetric", seed=1)
