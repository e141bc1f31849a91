"""The result of create_mixer as a replacement of timm.data.Mixup."""

import importlib
import pickle
from types import SimpleNamespace

import pytest
import timm
import torch
from torch.utils.data import DataLoader

from timm_multimix import MixTask, create_mixer
from timm_multimix.errors import UsageError

mixture = importlib.import_module("timm_multimix.mixers.mixture")

LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


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


@pytest.mark.parametrize(
    "labels", [torch.zeros(6).long(), torch.tensor([-100, 1, 2, 3, 4, 0]), torch.rand(6) * 50]
)
def test_the_number_of_classes_is_not_guessed_from_what_does_not_tell_it(labels):
    mixer = create_mixer("mixup")
    with pytest.raises(UsageError, match="num_classes must be given where the first batch does not tell it"):
        mixer(torch.rand(6, 3, 8, 8), labels)
    with pytest.warns(UserWarning, match="taken as 5"):
        assert mixer(torch.rand(6, 3, 8, 8), LABELS)[1].shape == (6, 5)


def test_batches_of_bytes_become_floats_whether_mixed_or_not():
    mixer = create_mixer("0.5*none | 0.5*cutmix", num_classes=5)
    pixels = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    assert {mixer(pixels, LABELS)[0].dtype for _ in range(8)} == {torch.float32}


@pytest.mark.parametrize("spec", ["multimix", "mixup | dense_multimix", "manifold_mixup"])
def test_mixers_inside_the_model_say_what_to_use(spec):
    with pytest.raises(UsageError, match="use MixTask"):
        create_mixer(spec)(torch.rand(3, 3, 4, 4), torch.tensor([0, 1, 2]))


def test_switched_off_as_timm_is():
    images, mixer = torch.rand(3, 3, 4, 4), create_mixer("mixup", num_classes=4, smoothing=0.2)
    mixer.mixup_enabled = False
    mixed, soft = mixer(images, torch.tensor([0, 1, 2]))
    assert mixed is images
    assert soft.amax(1).tolist() == pytest.approx([0.85] * 3)


@pytest.mark.parametrize("spec", ["mixup | cutmix", "multimix", "dense_multimix"])
def test_travels_to_other_processes(spec):
    assert repr(pickle.loads(pickle.dumps(create_mixer(spec)))) == f"Mixture({spec!r})"


class MixedTargets:
    """Collates eight images to the targets of their mixes; any process can load it."""

    def __init__(self):
        self.mixer = create_mixer("mixup", num_classes=8)

    def __call__(self, samples):
        return self.mixer(torch.stack(samples), torch.arange(8))[1]


def test_workers_draw_different_mixes():
    seeds = torch.Generator().manual_seed(0)
    images = list(torch.rand(32, 3, 2, 2))
    loader = DataLoader(images, batch_size=8, num_workers=2, collate_fn=MixedTargets(), generator=seeds)
    targets = [batch for _ in range(2) for batch in loader]
    assert len({tuple(batch.flatten().tolist()) for batch in targets}) == 8


def test_integer_images_and_targets_are_mixed_as_numbers():
    images, hot = torch.full((4, 3, 2, 2), 200, dtype=torch.uint8), torch.eye(4, dtype=torch.long)
    for spec in ("mixup", "cutmix", "sample_pairing", "multimix(place='input', m=2, p=1, n=5)"):
        mixed, soft = create_mixer(spec)(images, hot)
        assert mixed.dtype == torch.float32
        torch.testing.assert_close(mixed, torch.full_like(mixed, 200))
        torch.testing.assert_close(soft.sum(1), torch.ones(len(soft)))


def test_workers_that_are_started_anew_know_their_rank(monkeypatch):
    """As spawned ones, which are in no process group: processes of equal seeds draw differently."""
    worker = SimpleNamespace(seed=5)
    monkeypatch.setattr(mixture, "get_worker_info", lambda: worker)
    images, drawn = torch.rand(6, 3, 8, 8), []
    for number in (0, 1, 2):
        mixer = create_mixer("mixup", num_classes=5)
        monkeypatch.setattr(mixture, "rank", lambda number=number: number)
        sent = pickle.dumps(mixer)
        monkeypatch.setattr(mixture, "rank", lambda: 0)
        drawn.append(pickle.loads(sent)(images, LABELS)[1])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    torch.testing.assert_close(drawn[0], create_mixer("mixup", num_classes=5)(images, LABELS)[1])


def test_the_default_device_has_no_part_in_it():
    images = torch.rand(6, 3, 8, 8)
    for spec in ("mixup | cutmix", "manifold_mixup", "multimix"):
        task = MixTask(timm.create_model("test_resnet", num_classes=5), spec).train()
        with torch.device("meta"):
            assert task(images, LABELS)["loss"].device.type == "cpu"
