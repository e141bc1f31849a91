"""create_mixer's result in the place of timm.data.Mixup."""

import pytest
import torch

from timm_multimix import create_mixer
from timm_multimix.errors import UsageError


def test_mixes_a_batch_and_its_labels():
    images, labels = torch.rand(7, 3, 8, 8), torch.randint(10, (7,))
    mixer = create_mixer("mixup | cutmix", num_classes=10, smoothing=0.1)
    for _ in range(10):
        mixed, soft = mixer(images, labels)
        assert mixed.shape == images.shape
        assert soft.shape == (7, 10)
        torch.testing.assert_close(soft.sum(1), torch.ones(7))
    assert mixer.step == 10


def test_both_branches_are_taken_and_calls_differ():
    images, labels = torch.rand(5, 3, 8, 8), torch.randint(10, (5,))
    mixer = create_mixer("none | mixup", num_classes=10)
    results = [mixer(images, labels)[0] for _ in range(30)]
    unmixed = sum(torch.equal(result, images) for result in results)
    assert 5 < unmixed < 25


def test_classes_are_taken_from_the_labels_with_a_warning():
    mixer, images = create_mixer("mixup"), torch.rand(3, 3, 4, 4)
    with pytest.warns(UserWarning, match="taken as 6"):
        assert mixer(images, torch.tensor([0, 5, 2]))[1].shape == (3, 6)
    assert mixer(images, torch.tensor([0, 1, 2]))[1].shape == (3, 6)
    assert mixer(images, torch.rand(3, 9))[1].shape == (3, 9)


@pytest.mark.parametrize("spec", ["multimix", "mixup | dense_multimix", "manifold_mixup"])
def test_mixers_inside_the_model_say_what_to_use(spec):
    with pytest.raises(UsageError, match="use MixTask"):
        create_mixer(spec)(torch.rand(3, 3, 4, 4), torch.tensor([0, 1, 2]))
