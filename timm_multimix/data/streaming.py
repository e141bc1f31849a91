"""A training split that is read as a stream: shuffled in a buffer, never stored as a whole."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from .._compat.datasets import undecoded
from ..dataset_names import HubName
from ..errors import UsageError, one_line
from ..randomness import derive_seed
from .batches import SampleKey
from .collection import Tables
from .columns import find_image_column, find_label_column, shown
from .dataset import ImageDataset, Sample
from .hub import builder_from_hub, reading
from .images import BrokenImage, decode_image
from .labels import first_number
from .request import Request
from .shards import (
    BUILDERS,
    Shards,
    builder_of,
    check_columns,
    count_samples,
    load_shards,
    patterns,
)

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder, IterableDataset

BUFFER = 4096
"""Encoded images to draw the next ones from. Arrow takes at most 2 GB of them in one piece."""

_HEAD = 16  # rows to tell by which columns hold what
_CHUNK = 32  # rows taken out of the buffer at a time


class StreamSource:
    """Images in the order drawn by `order`, any seed; cheap only if asked for by ascending index.

    An index before the last one, or another `order`, starts the stream anew and skips what comes first.
    """

    def __init__(
        self,
        stream: "IterableDataset",
        columns: tuple[str, str],
        count: int,
        title: str,
        buffer: int = BUFFER,
    ) -> None:
        import datasets

        self.stream, self.columns = _readable(undecoded(stream).select_columns(list(columns))), columns
        self.count, self.title, self.buffer, self.order = count, title, buffer, 0
        kind = stream.features[columns[1]]
        self.declared = isinstance(kind, datasets.ClassLabel)
        self.class_names = list(kind.names) if self.declared else list[str]()
        self._rows: Iterator[tuple[Any, Any]] | None = None
        self._begun, self._next, self._path = 0, 0, None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        cell, value = self._row(index)
        data, self._path = (cell["bytes"], cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if data is None:
            raise BrokenImage(f"broken image, {self.describe(index)}: no image in the table itself")
        return decode_image(data, lambda: self.describe(index)), self._label(value, index)

    def describe(self, index: int) -> str:
        """The place in the shuffled stream, and the name of the file if the last row read has one."""
        return f"sample {index} of the stream of {self.title}" + (f" ({self._path})" if self._path else "")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_rows": None}

    def _row(self, index: int) -> tuple[Any, Any]:
        if self._rows is None or self._begun != self.order or index < self._next:
            self._rows, self._begun, self._next = self._shuffled(index), self.order, index
        try:
            for row in self._rows:
                self._next += 1
                if self._next > index:
                    return row
        except Exception as error:  # of the network, of the file format
            raise UsageError(f"{self.title} broke off at sample {self._next}: {one_line(error)}") from error
        raise UsageError(f"{self.title} ended before sample {index}, but it is said to have {self.count}")

    def _shuffled(self, start: int) -> Iterator[tuple[Any, Any]]:
        stream = self.stream.shuffle(seed=self.order, buffer_size=self.buffer).skip(start)
        # `iter` and not `for`, by which `datasets` draws another order in a worker process
        for chunk in stream.iter(_CHUNK):
            yield from zip(chunk[self.columns[0]], chunk[self.columns[1]], strict=True)

    def _label(self, value: Any, index: int) -> int:
        names = self.class_names
        if value is None:
            raise UsageError(f"no label, {self.describe(index)}")
        if isinstance(value, str):
            if value not in names:
                raise UsageError(f"label {value!r} of {self.describe(index)} is none of {shown(names)}")
            return names.index(value)
        first = 0 if self.declared else first_number(names)
        if value != int(value) or not 0 <= value - first < len(names):
            allowed = f"outside {first}..{first + len(names) - 1} ({len(names)} classes)"
            raise UsageError(f"label {value} of {self.describe(index)} is {allowed}")
        return int(value) - first


def _readable(stream: "IterableDataset") -> "IterableDataset":
    """The stream without views, which Arrow cannot take rows of in the shuffling buffer."""
    import datasets

    plain = {"string_view": "large_string", "binary_view": "large_binary"}
    views = {
        name: datasets.Value(plain[kind.dtype])
        for name, kind in stream.features.items()
        if isinstance(kind, datasets.Value) and kind.dtype in plain
    }
    if not views:
        return stream
    features = datasets.Features({**stream.features, **views})
    return stream.map(lambda rows: rows, batched=True, features=features)


class StreamedImages(ImageDataset):
    """Samples of a stream, whose order belongs to (seed, epoch), for at most one worker process."""

    source: StreamSource
    advice = ""

    def _sample(self, key: SampleKey) -> Sample:
        self.source.order = derive_seed(self.seed, key.epoch)
        return super()._sample(key)


class StreamedTables(Tables):
    """Splits of parquet or tar files; each can be opened as a table or as a stream."""

    def __init__(
        self,
        request: Request,
        loaders: Mapping[str, Callable[[], "Dataset"]],
        streams: Mapping[str, Callable[[], tuple["IterableDataset", int]]],
        **about: Any,
    ) -> None:
        super().__init__(request, loaders, **about)
        self.streams = streams

    def stream(self, split: str) -> StreamSource:
        """A split as a stream; its `class_names` are empty if it declares none.

        Raises: UsageError if it cannot be read, is empty, of unknown length, or lacks a column.
        """
        import datasets

        title = f"split '{split}' of {self.name}"
        with reading(title):
            stream, count = self.streams[split]()
            plain = undecoded(stream)
            rows = list(plain.take(_HEAD))
            if not rows:
                raise UsageError(f"{title} is empty")
            head = datasets.Dataset.from_list(rows, features=plain.features)
        image = find_image_column(head, self.image_column, title)
        label = find_label_column(head, self.label_column, title)
        return StreamSource(stream, (image, label), count, title)


def stream_shards(request: Request, shards: Shards, notes: list[str]) -> StreamedTables:
    """Open a directory of parquet or tar files without a copy in the cache of `datasets`."""
    loaders = shards.loaders(request.dataset, load_shards)
    streams = {name: partial(_stream_files, files) for name, files in shards.splits.items()}
    return StreamedTables(request, loaders, streams, shards=shards, notes=notes)


def stream_hub(request: Request, name: HubName) -> StreamedTables:
    """A dataset of the Hub in parquet or tar files. Raises: UsageError if it is neither, or fails."""
    dataset = request.dataset
    builder = builder_from_hub(name)
    if builder.name not in BUILDERS.values():
        raise UsageError(
            f"`streaming`: '{dataset}' must be of parquet or WebDataset's tar files, got {builder.name} files"
        )
    splits = [str(split) for split in builder.config.data_files]
    loaders = {split: partial(_load_alone, builder, split) for split in splits}
    streams = {split: partial(_stream_hub_split, builder, split, dataset) for split in splits}
    return StreamedTables(request, loaders, streams, hub=name)


def _stream_files(files: list[Path]) -> tuple["IterableDataset", int]:
    import datasets

    check_columns(files)
    count = sum(count_samples(file) for file in files)
    stream = datasets.load_dataset(
        builder_of(files), data_files=patterns(files), split="train", streaming=True
    )
    return stream, count


def _stream_hub_split(builder: "DatasetBuilder", split: str, dataset: str) -> tuple["IterableDataset", int]:
    known = (builder.info.splits or {}).get(split)
    if known is None or not known.num_examples:
        raise UsageError(
            f"`streaming`: '{dataset}' does not say how many samples split '{split}' has "
            "(dataset_info in its README.md does); train without it"
        )
    return builder.as_streaming_dataset(split=split), known.num_examples


def _load_alone(builder: "DatasetBuilder", split: str) -> "Dataset":
    """One split whole; by the name of the dataset, `datasets` would download the files of all."""
    import datasets

    files = {split: list(builder.config.data_files[split])}
    with reading(f"split '{split}' of {builder.repo_id}"):
        return datasets.load_dataset(
            builder.name, data_files=files, split=split, features=builder.info.features
        )
