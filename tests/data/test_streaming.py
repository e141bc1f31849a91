"""Training splits that are streamed: order, processes, workers, interruptions, mistakes of users."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch

from timm_multimix.data.batches import EpochBatches
from timm_multimix.data.loader import create_loader
from timm_multimix.data.splits import load_splits
from timm_multimix.data.streaming import StreamedImages, StreamSource
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError
from timm_multimix.options import parse_train_options

from .conftest import CONFIG, encoded, picture, train_options

Write = Callable[..., Path]
COUNT = 30
NAMED = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "cat", "emu"])}


def columns(first: int, count: int, label: Callable[[int], Any] = lambda n: n % 3) -> dict[str, list[Any]]:
    numbers = range(first, first + count)
    cells = [{"bytes": encoded(picture(n)), "path": f"{n}.png"} for n in numbers]
    return {"image": cells, "label": [label(n) for n in numbers]}


def shards(directory: Path, features: dict[str, Any] | None = NAMED, **kinds: Any) -> Path:
    """Thirty training images in three files of unequal size, three of them for evaluation."""
    kept = datasets.Features(features) if features else None
    for name, first, count in (("train-0", 0, 11), ("train-1", 11, 15), ("train-2", 26, 4), ("test", 0, 3)):
        rows = datasets.Dataset.from_dict(columns(first, count, **kinds), features=kept)
        rows.to_parquet(directory / f"{name}.parquet")
    return directory


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of each stream `datasets` sleeps five seconds, which matters to a process that ends then."""
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.02, raising=False)


@pytest.fixture
def table(write_parquet: Write) -> Path:
    return shards(write_parquet())


def open_stream(table: Path, buffer: int = 8) -> StreamSource:
    source = load_splits(str(table), streaming=True).train
    assert isinstance(source, StreamSource)
    source.buffer = buffer
    return source


def loader_of(table: Path, workers: int = 0, rank: int = 0, processes: int = 1, seed: int = 3) -> Any:
    """Global batches of eight."""
    transform = create_transforms(train_options(), CONFIG)[0]
    dataset = StreamedImages(open_stream(table), transform, seed=seed)
    batches = EpochBatches(
        len(dataset), 8 // processes, rank=rank, world_size=processes, seed=seed, drop_last=True
    )
    return create_loader(dataset, batches, workers=workers)


def epoch(loader: Any, number: int, start: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    loader.batch_sampler.set_epoch(number, start)
    return [(images, labels) for images, labels, valid in loader if valid.all()]


def assert_equal(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert torch.equal(mine[0], theirs[0])
        assert torch.equal(mine[1], theirs[1])


def read_all(source: StreamSource) -> list[tuple[bytes, int]]:
    return [(image.tobytes(), label) for image, label in (source[index] for index in range(len(source)))]


def test_each_order_gives_every_row_once(table: Path) -> None:
    source, rows = open_stream(table), load_splits(str(table)).train
    assert len(source) == COUNT
    stored = [(image.tobytes(), label) for image, label in (rows[index] for index in range(COUNT))]
    orders = []
    for order in (1, 2**63 - 1):
        source.order = order
        orders.append(read_all(source))
        assert orders[-1] != stored
        assert sorted(orders[-1]) == sorted(stored)
    assert orders[0] != orders[1]
    source.order = 1
    assert read_all(source) == orders[0]


def test_splits_are_those_of_whole_tables(table: Path) -> None:
    streamed, whole = load_splits(str(table), streaming=True), load_splits(str(table))
    assert streamed.class_names == whole.class_names == ["ant", "cat", "emu"]
    assert (streamed.train_split, streamed.evaluation_split) == ("train", "test")
    assert type(streamed.evaluation) is type(whole.evaluation)


def test_epochs_differ_and_drop_the_incomplete_batch(table: Path) -> None:
    loader = loader_of(table)
    first, second = epoch(loader, 0), epoch(loader, 1)
    assert [len(labels) for _, labels in first] == [8, 8, 8] == [len(labels) for _, labels in second]
    assert not torch.equal(first[0][0], second[0][0])
    assert_equal(epoch(loader, 0), first)
    assert not torch.equal(epoch(loader_of(table, seed=4), 0)[0][0], first[0][0])


def test_a_worker_yields_the_same_samples_in_every_epoch(table: Path) -> None:
    plain, worker = loader_of(table), loader_of(table, workers=1)
    for number, start in ((0, 0), (1, 0), (1, 2), (0, 1)):
        assert_equal(epoch(worker, number, start), epoch(plain, number, start))
    worker.close()


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_after_a_resume_are_the_rest(table: Path, start: int, workers: int) -> None:
    whole, fresh = epoch(loader_of(table), 2), loader_of(table, workers)
    assert_equal(epoch(fresh, 2, start), whole[start:])
    fresh.close()


def test_two_processes_share_each_global_batch(table: Path) -> None:
    ranks = [epoch(loader_of(table, rank=rank, processes=2), 1, 1) for rank in (0, 1)]
    joined = [
        tuple(torch.stack(pair, 1).flatten(0, 1) for pair in zip(*both, strict=True))
        for both in zip(*ranks, strict=True)
    ]
    assert_equal(joined, epoch(loader_of(table), 1, 1))


def test_undeclared_classes_are_those_of_the_evaluation(write_parquet: Write) -> None:
    directory = shards(write_parquet(), {"image": datasets.Image(), "label": datasets.Value("string")},
                    label=lambda n: ("emu", "ant", "cat")[n % 3])  # fmt: skip
    splits = load_splits(str(directory), streaming=True)
    assert splits.class_names == ["ant", "cat", "emu"]
    rows = load_splits(str(directory)).train
    assert sorted(splits.train[n][1] for n in range(COUNT)) == sorted(rows[n][1] for n in range(COUNT))


BROKEN = {
    "outside": (
        7,
        r"label 7 of sample \d+ of the stream of split 'train' of \S+ \(5\.png\) is outside 0\.\.2",
    ),
    "missing": (None, r"no label, sample \d+ of the stream .*\(5\.png\)"),
}


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("value", "message"), BROKEN.values(), ids=BROKEN)
def test_a_bad_label_is_named(write_parquet: Write, value: Any, message: str, workers: int) -> None:
    kinds = {"image": datasets.Image(), "label": datasets.Value("int64")}
    loader = loader_of(
        shards(write_parquet(), kinds, label=lambda n: value if n == 5 else n % 3), workers=workers
    )
    with pytest.raises(UsageError, match=message):
        [epoch(loader, number) for number in range(8)]  # some epoch does not drop it
    loader.close()


def test_a_broken_image_is_named(write_parquet: Write) -> None:
    cells = [{"bytes": encoded(picture(0)) if n else b"no", "path": f"{n}.png"} for n in range(3)]
    one = {"image": cells, "label": [0, 1, 2]}
    source = open_stream(write_parquet(NAMED, train=one, test=columns(0, 3)))
    with pytest.raises(UsageError, match=r"broken image, sample \d of the stream .*\(0\.png\): not an image"):
        read_all(source)
    cells[0] = {"bytes": None, "path": __file__}
    source = open_stream(write_parquet(NAMED, train=one, test=columns(0, 3)))
    with pytest.raises(UsageError, match=r"\.py\): no image in the table itself"):
        read_all(source)


def test_a_stream_shorter_than_announced(table: Path) -> None:
    source = open_stream(table)
    source.count += 1
    with pytest.raises(UsageError, match="ended before sample 30, but it is said to have 31"):
        read_all(source)


def test_data_that_cannot_be_streamed(class_directories: Path, write_parquet: Write) -> None:
    for name in ("digits", str(class_directories)):
        with pytest.raises(
            UsageError, match=r"`streaming`: .* not on the Hub nor a directory of parquet or tar"
        ):
            load_splits(name, streaming=True)
    empty = write_parquet(NAMED, train=columns(0, 0), test=columns(0, 3))
    with pytest.raises(UsageError, match=r"split 'train' of .* is empty"):
        load_splits(str(empty), streaming=True)
    (empty / "train-00000-of-00001.parquet").write_bytes(b"no table")
    with pytest.raises(UsageError, match=r"split 'train' of .* cannot be read"):
        load_splits(str(empty), streaming=True)


def test_columns_are_found_as_in_whole_tables(table: Path) -> None:
    with pytest.raises(UsageError, match=r"`label_column` kind: no such column .* it has image .*label"):
        load_splits(str(table), label_column="kind", streaming=True)


def test_all_images_cannot_be_read_first() -> None:
    with pytest.raises(UsageError, match="--skip-broken cannot be used with --streaming"):
        parse_train_options(["--streaming", "--skip-broken"])
