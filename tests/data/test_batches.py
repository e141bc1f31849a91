"""The assignment of samples to batches, and loaders with workers."""

import math
import random
import sys
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from timm.data.distributed_sampler import RepeatAugSampler

from timm_multimix.data.batches import EpochBatches, SampleKey
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.loader import ImageLoader, create_loader
from timm_multimix.data.splits import Splits, load_splits
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError

from .conftest import CONFIG, train_options

SHAPES = [
    (length, size, world)
    for length in (1, 2, 3, 5, 8, 16, 17, 31, 64)
    for size in (1, 3, 4, 16)
    for world in (1, 2, 3)
]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def of_all_ranks(length: int, size: int, world: int, **options: Any) -> list[list[list[SampleKey]]]:
    batches = [EpochBatches(length, size, rank=rank, world_size=world, **options) for rank in range(world)]
    everything = [list(one) for one in batches]
    assert {len(one) for one in batches} == {len(everything[0])}
    return everything


@pytest.mark.parametrize("repeats", [1, 2, 3, 2.5])
@pytest.mark.parametrize(("length", "size", "world"), [(48, 4, 1), (48, 4, 2), (50, 5, 2), (17, 3, 3)])
def test_copies_are_dealt_out_as_timms_sampler_does(
    length: int, size: int, world: int, repeats: float
) -> None:
    """Index by index and process by process, in full batches; every copy has its own number."""
    ranks = of_all_ranks(length, size, world, drop_last=True, repeats=repeats)
    for rank, batches in enumerate(ranks):
        timms = RepeatAugSampler(
            range(length), world, rank, shuffle=False, num_repeats=repeats, selected_round=0
        )
        mine = [key.index for batch in batches for key in batch]
        assert mine == list(timms)[: len(mine)]
        assert len(mine) == length // (size * world) * size
    keys = [key for batches in ranks for batch in batches for key in batch]
    assert len({key.stream for key in keys}) == len(keys)
    assert {key.repeat for key in keys} == set(range(math.ceil(repeats)))


def test_the_order_of_images_with_copies_is_that_without() -> None:
    """And the first copy has the random numbers of an image without copies."""
    plain, repeated = (EpochBatches(40, 8, seed=3, shuffle=True, repeats=repeats) for repeats in (0, 2))
    for batches in (plain, repeated):
        batches.set_epoch(5)
    firsts = [key for batch in repeated for key in batch if not key.repeat]
    assert [key.stream for key in firsts] == [key.stream for batch in plain for key in batch][:20]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("length", "size", "world"), SHAPES)
def test_every_sample_comes_exactly_once(length: int, size: int, world: int, shuffle: bool) -> None:
    ranks = of_all_ranks(length, size, world, shuffle=shuffle)
    counted = [key.index for rank in ranks for batch in rank for key in batch if key.valid]
    assert sorted(counted) == list(range(length))
    for batches in zip(*ranks, strict=True):
        assert len({len(batch) for batch in batches}) == 1
        assert 1 <= len(batches[0]) <= size
        assert sum(not key.valid for batch in batches for key in batch) < world


@pytest.mark.parametrize(("length", "size", "world"), SHAPES)
def test_drop_last_keeps_full_global_batches_or_the_only_one(length: int, size: int, world: int) -> None:
    ranks = of_all_ranks(length, size, world, shuffle=True, drop_last=True)
    keys = [key for rank in ranks for batch in rank for key in batch]
    whole = length // (size * world)
    assert len({key.index for key in keys if key.valid}) == sum(key.valid for key in keys)
    if whole:
        assert [len(batch) for rank in ranks for batch in rank] == [size] * whole * world
        assert all(key.valid for key in keys)
    else:
        assert [len(batch) for rank in ranks for batch in rank] == [max(1, length // world)] * world
        assert sum(key.valid for key in keys) == (length - length % world if length >= world else length)


def test_ranks_cut_one_order_of_seed_and_epoch() -> None:
    def order(epoch: int, world: int, seed: int = 0) -> list[set[int]]:
        ranks = []
        for rank in range(world):
            batches = EpochBatches(48, 12 // world, rank=rank, world_size=world, shuffle=True, seed=seed)
            batches.set_epoch(epoch)
            ranks.append(list(batches))
        return [
            {key.index for batch in global_batch for key in batch}
            for global_batch in zip(*ranks, strict=True)
        ]

    assert order(0, 1) == order(0, 2) == order(0, 3)
    assert order(0, 1) != order(1, 1)
    assert order(0, 1) != order(0, 1, seed=1)
    assert order(0, 1) == order(0, 1)


def test_start_batch_skips_and_keeps_the_length() -> None:
    batches = EpochBatches(20, 3, shuffle=True)
    batches.set_epoch(5)
    whole = list(batches)
    assert {key.epoch for batch in whole for key in batch} == {5}
    batches.set_epoch(5, start_batch=4)
    assert list(batches) == whole[4:]
    assert len(batches) == len(whole) == math.ceil(20 / 3)


def test_evaluation_is_in_order() -> None:
    assert [key.index for batch in EpochBatches(7, 2) for key in batch] == list(range(7))


@pytest.mark.parametrize(("length", "size", "rank"), [(0, 4, 0), (4, 0, 0), (4, 4, 2), (4, 4, -1)])
def test_impossible_batches_are_an_error(length: int, size: int, rank: int) -> None:
    with pytest.raises(UsageError, match="at least"):
        EpochBatches(length, size, rank=rank, world_size=2)


@pytest.fixture(scope="module")
def dataset(digits: Splits) -> ImageDataset:
    return ImageDataset(digits.train, create_transforms(train_options(), CONFIG)[0], seed=3)


def loader_of(dataset: ImageDataset, workers: int, shuffle: bool = True) -> tuple[EpochBatches, ImageLoader]:
    batches = EpochBatches(40, 6, shuffle=shuffle, seed=1)
    return batches, create_loader(dataset, batches, workers=workers)


def assert_same(left: list[Batch], right: list[Batch]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_same_images_for_any_workers_in_any_epoch_and_after_a_skip(dataset: ImageDataset) -> None:
    batches, loader = loader_of(dataset, 0)
    expected = []
    for epoch in range(2):
        batches.set_epoch(epoch)
        expected.append(list(loader))
    assert not torch.equal(expected[0][0][0], expected[1][0][0])
    for workers in (1, 2):
        batches, loader = loader_of(dataset, workers)
        for epoch, start in ((0, 0), (1, 0), (1, 3), (0, 5)):  # the workers persist from one to the next
            batches.set_epoch(epoch, start)
            assert_same(list(loader), expected[epoch][start:])


def test_pass_given_up_halfway_does_not_disturb_the_next(dataset: ImageDataset) -> None:
    expected = list(loader_of(dataset, 0)[1])
    loader = loader_of(dataset, 2)[1]
    next(iter(loader))
    assert_same(list(loader), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_have_their_types_and_leave_random_states_alone(dataset: ImageDataset, workers: int) -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    loader = loader_of(dataset, workers, shuffle=False)[1]
    images, labels, valid = list(loader)[-1]
    assert len(loader) == 7
    assert images.shape == (4, 3, 16, 16)
    assert (images.dtype, labels.dtype, valid.dtype) == (torch.float32, torch.int64, torch.bool)
    assert labels.tolist() == [dataset.source[index][1] for index in range(36, 40)]
    assert valid.all()
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_filled_up_samples_arrive_marked(dataset: ImageDataset) -> None:
    loader = create_loader(dataset, EpochBatches(5, 4, rank=1, world_size=2))
    assert [valid.tolist() for _, _, valid in loader] == [[True, True, False]]


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_image_is_the_same_line_from_a_worker(class_directories: Path, workers: int) -> None:
    broken = class_directories / "train/cat/2.png"
    broken.write_bytes(broken.read_bytes()[:100])
    source = load_splits(str(class_directories)).train
    dataset = ImageDataset(source, create_transforms(train_options(), CONFIG)[1])
    with pytest.raises(UsageError) as caught:
        list(create_loader(dataset, EpochBatches(6, 2), workers=workers))
    assert str(caught.value).startswith(f"broken image, {broken}: ")
    assert "\n" not in str(caught.value)


def children() -> set[int | None]:
    return {process.pid for process in active_children()}


def test_closed_loader_has_no_workers_and_can_start_again(dataset: ImageDataset) -> None:
    before = children()
    loader = loader_of(dataset, 2)[1]
    expected = list(loader)
    workers = children() - before
    assert len(workers) == 2
    loader.close()
    assert not children() & workers
    assert_same(list(loader), expected)
    loader.close()


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
@pytest.mark.parametrize(
    ("default", "chosen", "used"),
    [
        ("fork", None, "fork"),
        ("forkserver", None, "fork"),  # Python 3.14
        ("forkserver", "forkserver", "fork"),  # as it says once a process was started
        ("forkserver", "spawn", None),
        ("fork", "spawn", None),
    ],
)
def test_workers_are_forked_unless_the_program_chose_another_way(
    monkeypatch: pytest.MonkeyPatch, dataset: ImageDataset, default: str, chosen: str | None, used: str | None
) -> None:
    """A forked worker shares what is cached in memory, and ends with the process that started it."""
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: [default, "spawn"])
    monkeypatch.setattr("multiprocessing.get_start_method", lambda allow_none: chosen)
    context = create_loader(dataset, EpochBatches(len(dataset), 4), workers=1).multiprocessing_context
    assert (context and context.get_start_method()) == used


def test_error_of_a_worker_leaves_no_workers_behind(class_directories: Path) -> None:
    """A reference cycle here once kept them for the garbage collector, which waited 10 s for them to end."""
    (class_directories / "train/cat/2.png").write_bytes(b"nonsense")
    dataset = ImageDataset(
        load_splits(str(class_directories)).train, create_transforms(train_options(), CONFIG)[1]
    )
    before = children()
    with suppress(UsageError):
        list(create_loader(dataset, EpochBatches(6, 2), workers=2))
    assert children() <= before
