"""The names that timm gives to datasets of other libraries, `hfds/ID` and `wds/NAME`."""

from dataclasses import replace

from ...dataset_names import TIMM
from ...errors import UsageError
from ...options.declaration import Trait
from ..collection import Collection
from ..request import Request
from .declaration import TABLE, Kind
from .hub import open_hub
from .shards import KIND as SHARDS


def _open(request: Request) -> Collection:
    prefix, name = request.dataset.split("/", 1)
    if prefix == "tfds":
        raise UsageError(
            f"`dataset` {request.dataset}: TensorFlow's datasets are not read; many are on the Hub, "
            f"as hfds/{name}"
        )
    if prefix == "wds":
        return _open_archives(request)
    if request.data_dir:
        raise UsageError(
            f"`data_dir` {request.data_dir}: {prefix}/ names are read from the cache of `datasets`; "
            "set HF_DATASETS_CACHE for another"
        )
    return open_hub(replace(request, dataset=name, streaming=request.streaming or prefix == "hfids"))


def _open_archives(request: Request) -> Collection:
    """The tar files in `data_dir`; the rest of the name is only a title, as in timm."""
    if request.data_dir is None:
        raise UsageError(f"`dataset` {request.dataset} needs `data_dir`, the directory of the tar files")
    found = replace(request, dataset=str(request.data_dir), data_dir=None)
    if found.directory is None or not SHARDS.matches(found):
        raise UsageError(f"`data_dir` {request.data_dir}: no directory of tar files")
    return SHARDS.open(found)


KIND = Kind(
    title="timm's names",
    form="hfds/ID, hfids/ID or wds/NAME",
    about="""\
`hfds/ID` is a dataset of the Hub, `hfids/ID` the same with `--streaming`, and `wds/NAME --data-dir DIR` the
tar files in `DIR`. They are read by `datasets`, whose order a resumed run can take up again. `tfds/` is
refused.""",
    matches=lambda request: request.dataset.startswith(TIMM),
    open=_open,
    traits=TABLE | {Trait.STREAM, Trait.DIRECTORY},
)
