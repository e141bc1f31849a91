"""--cache: the same images as without it, or the same distribution of them."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from timm_multimix.data import augment as module
from timm_multimix.data.augment import Augmentation, BatchAugmentation
from timm_multimix.data.batches import EpochBatches
from timm_multimix.data.cache import CachedLoader
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.loader import create_loader
from timm_multimix.data.sample_random import sample_uniforms
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError
from timm_multimix.randomness import _splitmix, derive_seed

from .conftest import CONFIG, picture, train_options

CPU = torch.device("cpu")
OPTIONS = {"reprob": 0.0, "color_jitter": 0.0, "crop_padding": 3}


class Pictures:
    """Images of given sizes and their numbers as labels."""

    def __init__(self, count=11, sizes=((16, 16),), mode="RGB"):
        self.images = [
            picture(k, mode).resize(size)
            for k, size in zip(range(count), itertools.cycle(sizes), strict=False)
        ]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], index

    def describe(self, index):
        return f"image {index}"


def cached(source, transform, cache="ram", channels=3, batch=4, **order):
    dataset = ImageDataset(source, transform, seed=5, channels=channels)
    return CachedLoader(dataset, transform, EpochBatches(len(source), batch, **order), cache, CPU)


@pytest.mark.parametrize("cache", ["ram", "device"])
@pytest.mark.parametrize("kind", ["train", "evaluation"])
@pytest.mark.parametrize("sizes", [((16, 16),), ((40, 28), (20, 20))])
def test_without_randomness_cached_images_equal_uncached_ones(cache, kind, sizes):
    source = Pictures(sizes=sizes)
    train, evaluation = create_transforms(train_options(no_aug=True), CONFIG)
    transform = train if kind == "train" else evaluation
    plain = create_loader(ImageDataset(source, transform, seed=5), EpochBatches(len(source), 4))
    batches = list(zip(cached(source, transform, cache), plain, strict=True))
    assert len(batches) == 3
    for ours, theirs in batches:
        assert all(map(torch.equal, ours, theirs))


def test_crop_and_flip_depend_on_the_image_alone():
    """Every cached image is a crop and flip by Pillow, and all possible ones occur."""
    source = Pictures(1)
    train, _ = create_transforms(train_options(**OPTIONS), CONFIG)
    normalise = train.normalize
    image, possible = source[0][0], {}
    for top, left in itertools.product(range(-3, 4), repeat=2):
        window = image.crop((left, top, left + 16, top + 16))
        for h, v in itertools.product([False, True], repeat=2):
            flipped = window.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if h else window
            flipped = flipped.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if v else flipped
            possible[normalise(flipped).numpy().tobytes()] = top, left, h, v
    loader, counts = cached(source, train), dict.fromkeys(possible.values(), 0)
    for epoch in range(4000):
        loader.batches.set_epoch(epoch)
        ((images, _, _),) = list(loader)
        counts[possible[images[0].contiguous().numpy().tobytes()]] += 1
    # 196 equally likely windows, 4000 draws: 20.4 each, standard deviation 4.5
    assert min(counts.values()) > 2
    assert max(counts.values()) < 48
    observed = np.array(list(counts.values()))
    assert abs(((observed - 4000 / 196) ** 2 / (4000 / 196)).sum() - 195) < 5 * np.sqrt(2 * 195)


def test_images_larger_than_the_crop_and_not_square():
    source = Pictures(sizes=((24, 16),))
    train, _ = create_transforms(train_options(**OPTIONS, hflip=0.0, vflip=0.0), CONFIG)
    loader = cached(source, train)
    assert loader.pictures.shape == (11, 16, 24, 3)
    images = torch.cat([batch[0] for batch in loader])
    assert images.shape == (11, 3, 16, 16)
    assert images.is_contiguous()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_colour_changes_are_those_of_torchvision(which, monkeypatch):
    strengths = [0.0, 0.0, 0.0]
    strengths[which] = 0.5
    images = (
        torch.stack([torch.from_numpy(np.array(picture(k))) for k in range(6)]).permute(0, 3, 1, 2).float()
    )
    uniforms = sample_uniforms(1, 2, torch.arange(6), 6)
    ours = module._jittered(images.clone(), tuple(strengths), uniforms)
    change = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation)[which]
    for k in range(6):
        factor = 0.5 + float(uniforms[k, which])
        theirs = change(images[k] / 255, factor) * 255
        assert (ours[k] - theirs).abs().max() < 0.6  # of 255: the mean grey is rounded, as Pillow does


def test_colour_changes_through_the_transform_vary_and_stay_in_range():
    source = Pictures()
    train, _ = create_transforms(train_options(**OPTIONS | {"color_jitter": 0.4}), CONFIG)
    loader = cached(source, train)
    assert loader.augment.plan.jitter == pytest.approx((0.4, 0.4, 0.4))
    first = torch.cat([batch[0] for batch in loader])
    loader.batches.set_epoch(1)
    second = torch.cat([batch[0] for batch in loader])
    mean, std = (torch.tensor(CONFIG[name]).view(3, 1, 1) for name in ("mean", "std"))
    pixels = first * std + mean
    assert pixels.min() >= -1e-5
    assert pixels.max() <= 1 + 1e-5
    assert not torch.equal(first, second)


def test_the_images_do_not_depend_on_batches_and_processes():
    source = Pictures(12)
    train, _ = create_transforms(train_options(**OPTIONS | {"color_jitter": 0.4}), CONFIG)
    whole = cached(source, train, batch=12, shuffle=True, seed=3)
    parts = [cached(source, train, batch=2, shuffle=True, seed=3, rank=r, world_size=2) for r in (0, 1)]
    for loader in (whole, *parts):
        loader.batches.set_epoch(7)
    ((images, labels, _),) = list(whole)
    expected = dict(zip(labels.tolist(), images, strict=True))
    seen = 0
    for images, labels, _ in itertools.chain(*parts):
        for image, label in zip(images, labels.tolist(), strict=True):
            torch.testing.assert_close(image, expected[label])
            seen += 1
    assert seen == 12


def test_one_channel():
    source = Pictures(mode="L")
    config = CONFIG | {"input_size": (1, 16, 16), "mean": (0.5,), "std": (0.2,)}
    train, _ = create_transforms(train_options(**OPTIONS | {"color_jitter": 0.4}), config)
    images, _, _ = next(iter(cached(source, train, channels=1)))
    assert images.shape == (4, 1, 16, 16)


@pytest.mark.parametrize(
    ("options", "sizes", "message"),
    [
        ({"reprob": 0.3}, ((16, 16),), "got `reprob`"),
        ({"crop_padding": None}, ((16, 16),), r"got a random resized crop \(`scale`\)"),
        ({"aa": "rand-m9"}, ((16, 16),), "got `aa`"),
        ({}, ((16, 16), (24, 16)), "one size.*24x16 and 16x16"),
    ],
)
def test_data_that_cannot_be_cached_is_an_error(options, sizes, message):
    train, _ = create_transforms(train_options(**OPTIONS | options), CONFIG)
    with pytest.raises(UsageError, match=message):
        cached(Pictures(sizes=sizes), train)


def test_too_little_memory_says_so(monkeypatch):
    monkeypatch.setattr(
        "timm_multimix.data.cache.psutil.virtual_memory", lambda: type("M", (), {"available": 9})
    )
    train, _ = create_transforms(train_options(no_aug=True), CONFIG)
    with pytest.raises(UsageError, match=r"`cache` ram: 0.0 GiB of images"):
        cached(Pictures(), train)


def test_random_numbers_of_samples_are_splitmix_and_uniform():
    numbers = sample_uniforms(1, 2, torch.arange(20_000), 4)
    start = derive_seed(1, 2, 4)
    for index, column in [(0, 0), (7, 3), (19_999, 1)]:
        state = _splitmix(_splitmix((index + start) & ((1 << 64) - 1)) + column)
        assert float(numbers[index, column]) == (state >> 40) / 2**24
    # 80,000 numbers: the mean is within 5 standard errors, each tenth has its share
    assert abs(float(numbers.mean()) - 0.5) < 5 * (1 / 12 / 80_000) ** 0.5
    assert torch.histc(numbers, 10, 0, 1).sub(8000).abs().max() < 5 * (8000 * 0.9) ** 0.5
    assert float(torch.corrcoef(numbers.T).triu(1).abs().max()) < 5 / 20_000**0.5
    assert not torch.equal(numbers, sample_uniforms(1, 3, torch.arange(20_000), 4))


def test_without_augmentation_images_are_only_normalised():
    pictures = torch.randint(256, (3, 4, 5, 3), dtype=torch.uint8)
    images = BatchAugmentation(Augmentation(), (0.5,) * 3, (0.25,) * 3, seed=0)(
        pictures, torch.tensor([2, 0]), torch.tensor([2, 0]), 0, CPU
    )
    expected = (pictures[[2, 0]].permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    torch.testing.assert_close(images, expected)


@pytest.mark.parametrize("cache", ["off", "ram"])
def test_copies_of_an_image_are_augmented_each_by_itself(cache):
    """The first copy is augmented as the image alone; copies of an image differ."""
    source = Pictures(12)
    train, _ = create_transforms(train_options(**OPTIONS), CONFIG)

    def loader(repeats):
        if cache == "ram":
            return cached(source, train, repeats=repeats)
        return create_loader(ImageDataset(source, train, seed=5), EpochBatches(12, 4, repeats=repeats))

    once, thrice = (torch.cat([images for images, _, _ in loader(repeats)]) for repeats in (0, 3))
    assert torch.equal(thrice[::3], once[:4])
    for copies in thrice.split(3):
        assert len({copy.contiguous().numpy().tobytes() for copy in copies}) == 3
