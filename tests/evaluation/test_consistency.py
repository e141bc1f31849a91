"""Mixing consistency of linear, constant and hand-made models, for which it is known."""

import math

import pytest
import torch
from torch import Tensor

from timm_multimix.errors import UsageError
from timm_multimix.evaluation.consistency import create_input_mixer, measure_consistency, mixing_gap

IMAGES = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def linear(pixels: Tensor) -> Tensor:
    """Logits whose probabilities are linear in the pixels: p = (mean, 1 - mean)."""
    mean = pixels.double().mean((1, 2, 3))
    return torch.stack([mean, 1 - mean], 1).log()


def steep(pixels: Tensor) -> Tensor:
    """Logits whose probabilities are not."""
    return 40 * linear(pixels).exp()


def batches() -> list[Tensor]:
    return list(IMAGES.split(7))


@pytest.mark.parametrize("spec", ["mixup", "mixup(per_sample=True)", "mixup | none"])
def test_a_model_linear_in_the_pixels_is_consistent(spec: str) -> None:
    found = measure_consistency(linear, batches(), create_input_mixer(spec))
    assert found == {"kl": pytest.approx(0, abs=1e-6), "total_variation": pytest.approx(0, abs=1e-6)}
    other = measure_consistency(steep, batches(), create_input_mixer(spec))
    assert other["kl"] > 0.01
    assert other["total_variation"] > 0.02


@pytest.mark.parametrize("spec", ["mixup", "cutmix", "sample_pairing", "none"])
def test_a_constant_model_is_consistent(spec: str) -> None:
    found = measure_consistency(
        lambda x: torch.tensor([[1.0, 2.0]]).expand(len(x), 2), batches(), create_input_mixer(spec)
    )
    assert found == {"kl": pytest.approx(0, abs=1e-6), "total_variation": pytest.approx(0, abs=1e-6)}


def test_unmixed_images_are_consistent_for_any_model() -> None:
    found = measure_consistency(steep, batches(), create_input_mixer("none"))
    assert found == {"kl": pytest.approx(0, abs=1e-12), "total_variation": pytest.approx(0, abs=1e-12)}


def test_targets_that_are_not_mixed_are_those_of_the_first_image() -> None:
    # an average of two images whose prediction should be the first's: not so for a model linear in pixels
    assert measure_consistency(linear, batches(), create_input_mixer("sample_pairing"))["kl"] > 1e-4


def test_the_gap_by_hand() -> None:
    expected = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    mixed = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75) + math.log(2)
    assert mixing_gap(mixed, expected).tolist() == pytest.approx([kl, 0.25 + 0.5])


def test_a_mean_over_images_and_not_over_batches() -> None:
    mixture = create_input_mixer("mixup")
    parts = [measure_consistency(steep, [batch], create_input_mixer("mixup")) for batch in batches()[:1]]
    assert measure_consistency(steep, batches()[:1], mixture) == parts[0]
    whole = measure_consistency(steep, [IMAGES[:7], IMAGES[:0]], mixture)
    assert whole == parts[0]


def test_the_seed_decides_the_draws() -> None:
    first, again, other = (
        measure_consistency(steep, batches(), create_input_mixer("mixup"), seed) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("spec", ["multimix", "manifold_mixup", "mixup | manifold_mixup"])
def test_only_mixers_of_the_input_are_accepted(spec: str) -> None:
    with pytest.raises(UsageError, match=r"--consistency .* must mix at 'input', got place .*"):
        create_input_mixer(spec)


def test_guided_mixers_are_refused() -> None:
    with pytest.raises(UsageError, match="puzzlemix is guided by the model"):
        create_input_mixer("mixup | puzzlemix")
