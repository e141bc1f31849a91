"""Images with a table `metadata.csv` or `metadata.jsonl` next to them, as the imagefolder of `datasets`."""

from pathlib import Path

from ..collection import Tables, opened
from ..directories import directories
from ..hub import reading
from ..request import Request
from .declaration import TABLE, Kind

_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def _matches(request: Request) -> bool:
    directory = request.directory
    if directory is None:
        return False
    return any(
        _has_metadata(place) for place in (directory, *(directory / name for name in directories(directory)))
    )


def _has_metadata(directory: Path) -> bool:
    return any((directory / name).is_file() for name in _FILES)


def _open(request: Request) -> Tables:
    import datasets

    with reading(f"dataset '{request.dataset}'"):
        splits = datasets.load_dataset("imagefolder", data_dir=str(request.path))
    return Tables(request, opened(splits))


KIND = Kind(
    title="Images with metadata",
    form="DIR",
    about="""\
Images with a `metadata.csv`, `metadata.jsonl` or `metadata.parquet` next to them, or one in each of
`DIR/train/` and `DIR/validation/`, as `datasets.load_dataset("imagefolder", data_dir=DIR)` takes them: the
column `file_name` has the paths of the images, the others are for `--label-column`.""",
    matches=_matches,
    open=_open,
    traits=TABLE,
)
