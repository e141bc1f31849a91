"""Directories of parquet files or of the tar files of WebDataset."""

from ...options.declaration import Trait
from ..collection import Collection, Tables
from ..request import Request
from ..shards import Shards, load_shards, look_into
from ..streaming import stream_shards
from .declaration import TABLE, Kind


def _matches(request: Request) -> bool:
    if request.file is not None and request.file.suffix == ".tar":
        return True
    return request.directory is not None and look_into(request.directory).shards is not None


def _open(request: Request) -> Collection:
    """The splits of a directory of shards, or one tar file."""
    if request.file is not None:
        shards, notes = Shards.of_file(request.file), list[str]()
    else:
        contents = look_into(request.path)
        assert contents.shards is not None
        shards, notes = contents.shards, contents.notes
    if request.streaming:
        return stream_shards(request, shards, notes)
    return Tables(request, shards.loaders(request.dataset, load_shards), shards=shards, notes=notes)


KIND = Kind(
    title="Parquet and WebDataset",
    form="DIR or FILE.tar",
    about="""\
Parquet files, `DIR/train-*.parquet` and `DIR/validation-*.parquet`, or WebDataset's tar files,
`DIR/train-*.tar`; also in `DIR/data/` or in a directory for each split. The files of a split differ in
their numbers only. The images are a column of bytes, of `datasets.Image`, or of paths. With `--streaming`,
the training split is read as it arrives and never copied.""",
    matches=_matches,
    open=_open,
    traits=TABLE | {Trait.STREAM, Trait.DIRECTORY},
)
