"""Datasets of the Hugging Face Hub."""

import os

from ...dataset_names import HubName, missing_path, must_be_path
from ...errors import UsageError
from ...options.declaration import Trait
from ..collection import Tables, opened
from ..hub import load_from_hub
from ..request import Request
from ..streaming import stream_hub
from .declaration import TABLE, Kind


def open_hub(request: Request) -> Tables:
    """A dataset of the Hub, or its cache.

    Raises:
        UsageError: there is none of this name.
    """
    name = _parse(request.dataset)
    if request.streaming:
        return stream_hub(request, name)
    splits, notes = load_from_hub(name)
    return Tables(request, opened(splits), notes=notes, hub=name)


def _parse(dataset: str) -> HubName:
    """Raises: UsageError for what can only be a path, which the Hub need not be asked about."""
    if os.path.isfile(os.path.expanduser(dataset)):
        raise UsageError(
            f"dataset '{dataset}' is a file of an unknown kind; expected .csv, .tsv, .jsonl, .json, "
            ".parquet, .tar or .npz"
        )
    name = HubName.parse(dataset)
    if name is None or must_be_path(dataset):
        raise missing_path(dataset)
    return name


KIND = Kind(
    title="The Hugging Face Hub",
    form="ID, ID:CONFIGURATION or ID@REVISION",
    about="""\
A dataset of the Hub by its id, such as `uoft-cs/cifar10`, of one of its configurations, `ID:CONFIGURATION`,
at a branch, tag or commit, `ID@REVISION`, or both, `ID:CONFIGURATION@REVISION`. timm's `hfds/ID` means the
same. If the Hub cannot be reached, the local cache is used.""",
    matches=lambda request: True,
    open=open_hub,
    traits=TABLE | {Trait.STREAM},
)
