"""Directories that `save_to_disk` of `datasets` has written."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ...errors import UsageError, one_line
from ..collection import Tables
from ..request import Request
from ..split_names import WHOLE
from .declaration import TABLE, Kind

if TYPE_CHECKING:
    from datasets import Dataset


def _matches(request: Request) -> bool:
    directory = request.directory
    return directory is not None and any(
        (directory / name).is_file() for name in ("dataset_dict.json", "state.json")
    )


def _open(request: Request) -> Tables:
    import datasets

    try:
        found = datasets.load_from_disk(request.path)
    except Exception as error:  # of many kinds, for damaged files
        raise UsageError(f"dataset '{request.dataset}' cannot be read: {one_line(error)}") from error
    if isinstance(found, datasets.Dataset):
        found = datasets.DatasetDict({str(found.split or WHOLE): found})
    loaders: dict[str, Callable[[], Dataset]] = {
        str(split): partial(found.__getitem__, split) for split in found
    }
    return Tables(request, loaders)


KIND = Kind(
    title="save_to_disk",
    form="DIR",
    about="""\
A `datasets.Dataset` or `DatasetDict` that was written by its `save_to_disk(DIR)`.""",
    matches=_matches,
    open=_open,
    traits=TABLE,
)
