"""Directories that `save_to_disk` of `datasets` has written."""

from ..collection import Tables, opened
from ..hub import reading
from ..request import Request
from ..split_names import WHOLE
from .declaration import TABLE, Kind


def _matches(request: Request) -> bool:
    directory = request.directory
    return directory is not None and any(
        (directory / name).is_file() for name in ("dataset_dict.json", "state.json")
    )


def _open(request: Request) -> Tables:
    import datasets

    with reading(f"dataset '{request.dataset}'"):
        found = datasets.load_from_disk(request.path)
    if isinstance(found, datasets.Dataset):
        found = datasets.DatasetDict({str(found.split or WHOLE): found})
    return Tables(request, opened(found))


KIND = Kind(
    title="save_to_disk",
    form="DIR",
    about="""\
A `datasets.Dataset` or `DatasetDict` that was written by its `save_to_disk(DIR)`.""",
    matches=_matches,
    open=_open,
    traits=TABLE,
)
