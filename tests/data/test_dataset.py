"""Samples: their randomness, channels, and broken images."""

import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from timm_multimix.data.batches import SampleKey
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.splits import Splits, load_splits
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError

from .conftest import CONFIG, train_options


def noisy(image: Image.Image) -> torch.Tensor:
    """One number from each generator a transform may use."""
    return torch.tensor([random.random(), float(np.random.rand()), float(torch.rand(()))])


def test_randomness_is_that_of_seed_epoch_and_index(digits: Splits) -> None:
    dataset = ImageDataset(digits.train, noisy, seed=1)
    keys = [SampleKey(index, epoch) for epoch in range(3) for index in range(50)]
    draws = {key: dataset[key][0] for key in keys}
    assert len({tuple(draw.tolist()) for draw in draws.values()}) == 150
    random.shuffle(keys)
    for key, sample in zip(keys, dataset.__getitems__(keys), strict=True):
        assert torch.equal(sample[0], draws[key])
    assert torch.equal(ImageDataset(digits.train, noisy, seed=1)[keys[0]][0], draws[keys[0]])
    assert not torch.equal(ImageDataset(digits.train, noisy, seed=2)[keys[0]][0], draws[keys[0]])


def test_the_callers_random_states_stay(digits: Splits) -> None:
    dataset = ImageDataset(digits.train, noisy)

    def draws() -> list[float]:
        return noisy(Image.new("L", (1, 1))).tolist()

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = [draws(), draws()]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    got = [draws()]
    dataset[SampleKey(0)]
    assert [*got, draws()] == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_have_the_requested_channels(digits: Splits, channels: int) -> None:
    config = CONFIG | {"input_size": (channels, 16, 16), "mean": [0.5] * channels, "std": [0.5] * channels}
    dataset = ImageDataset(digits.train, create_transforms(train_options(), config)[1], channels=channels)
    image, label, valid = dataset[SampleKey(7, valid=False)]
    assert image.shape == (channels, 16, 16)
    assert (label, valid) == (digits.train[7][1], False)


def test_other_channels_are_an_error(digits: Splits) -> None:
    with pytest.raises(UsageError, match="2 input channels"):
        ImageDataset(digits.train, noisy, channels=2)


@pytest.mark.parametrize("workers", [0, 3])
def test_broken_images_are_skipped_and_counted(class_directories: Path, workers: int) -> None:
    for name in ("cat/2.png", "ant/5.png"):
        (class_directories / "train" / name).write_bytes(b"nonsense")
    source = load_splits(str(class_directories)).train
    with pytest.raises(UsageError, match=r"broken image, .*ant/5.png: not an image"):
        [ImageDataset(source, noisy)[SampleKey(index)] for index in range(6)]
    dataset = ImageDataset(source, noisy, skip_broken=True, workers=workers)
    assert [message.split(":")[0].split("train/")[1] for message in dataset.broken] == [
        "ant/5.png",
        "cat/2.png",
    ]
    assert [dataset[SampleKey(index)][1] for index in range(len(dataset))] == [0, 0, 1, 1]


def test_nothing_but_broken_images_is_an_error(class_directories: Path) -> None:
    for file in class_directories.glob("train/*/*.png"):
        file.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match=r"all 6 images are broken; the first: broken image, .*1.png"):
        ImageDataset(load_splits(str(class_directories)).train, noisy, skip_broken=True)


def test_nothing_is_skipped_where_nothing_is_broken(digits: Splits) -> None:
    dataset = ImageDataset(digits.evaluation, noisy, skip_broken=True)
    assert (len(dataset), dataset.broken) == (360, [])


def test_dataset_can_be_sent_to_a_fresh_process(class_directories: Path) -> None:
    """As spawned workers need it; Python 3.14 no longer forks by default."""
    for options in (train_options(aa="rand-m9-mstd0.5"), train_options(aa="augmix-m3", crop_padding=2)):
        source = load_splits(str(class_directories)).train
        dataset = ImageDataset(source, create_transforms(options, CONFIG)[0])
        copy = pickle.loads(pickle.dumps(dataset))
        assert torch.equal(copy[SampleKey(4, 2)][0], dataset[SampleKey(4, 2)][0])
