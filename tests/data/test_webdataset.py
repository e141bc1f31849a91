"""Tar archives of WebDataset, loaded whole and streamed."""

import io
import itertools
import tarfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

from timm_multimix.data.batches import EpochBatches
from timm_multimix.data.loader import create_loader
from timm_multimix.data.shards import count_samples
from timm_multimix.data.splits import load_splits
from timm_multimix.data.streaming import StreamedImages, StreamSource
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError

from .conftest import CONFIG, NEWER_DATASETS, encoded, picture, train_options


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of each stream `datasets` sleeps five seconds."""
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.02, raising=False)


DIRECTORY = (
    "a.b" if NEWER_DATASETS else "ab"
)  # of which older versions of datasets take `b` for the key's end


def write(file: Path, numbers: range, ending: str = "png") -> None:
    with tarfile.open(file, "w") as archive:
        for n in numbers:
            for name, data in (
                (f"{DIRECTORY}/{n:04}.{ending}", encoded(picture(n))),
                (f"{DIRECTORY}/{n:04}.cls", b"%d" % (n % 3)),
            ):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))


@pytest.fixture(params=["flat", "folders"])
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Thirty training images in three archives of unequal size, six of them for evaluation."""
    for name, numbers in (
        ("train-0", range(11)),
        ("train-1", range(11, 26)),
        ("train-2", range(26, 30)),
        ("test-0", range(6)),
    ):
        split, part = name.split("-")
        file = tmp_path / split / f"{part}.tar" if request.param == "folders" else tmp_path / f"{name}.tar"
        file.parent.mkdir(exist_ok=True)
        write(file, numbers)
    return tmp_path


def test_a_table_of_the_archives(shards: Path) -> None:
    splits = load_splits(str(shards))
    assert (len(splits.train), len(splits.evaluation)) == (30, 6)
    assert splits.class_names == ["0", "1", "2"]
    image, label = splits.train[17]
    assert (np.asarray(image) == np.asarray(picture(17))).all()
    assert label == 17 % 3


def loader_of(shards: Path, workers: int = 0) -> Any:
    source = load_splits(str(shards), streaming=True).train
    assert isinstance(source, StreamSource)
    source.buffer = 8
    dataset = StreamedImages(source, create_transforms(train_options(), CONFIG)[0], seed=3)
    batches = EpochBatches(len(dataset), 4, seed=3, drop_last=True)
    return batches, create_loader(dataset, batches, workers=workers)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stream_gives_every_sample_once_and_goes_on_where_it_was(shards: Path, workers: int) -> None:
    batches, loader = loader_of(shards, workers)
    whole = list(loader)
    labels = torch.cat([labels for _, labels, _ in whole])
    assert len(labels) == 28
    assert labels.bincount(minlength=3).max() <= 10
    loader.close()
    batches, loader = loader_of(shards, workers)
    batches.set_epoch(0, 3)
    for ours, theirs in zip(loader, itertools.islice(whole, 3, None), strict=True):
        assert all(map(torch.equal, ours, theirs))
    loader.close()


def test_samples_are_counted_from_the_headers(shards: Path) -> None:
    assert sum(count_samples(file) for file in shards.rglob("*.tar")) == 36


def test_broken_archives_are_named(shards: Path) -> None:
    for file in shards.rglob("*0.tar"):
        file.write_bytes(b"no archive")
    for streaming in (False, True):
        with pytest.raises(UsageError, match=r"split '(train|test)' of .* cannot be read"):
            load_splits(str(shards), streaming=streaming)
