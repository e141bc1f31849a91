"""The kinds of data that `--dataset` can name, one module each, in the order in which they are tried."""

from ..collection import Collection
from ..request import Request
from . import (
    arrays,
    class_directories,
    digits,
    hub,
    metadata,
    saved,
    shards,
    tables,
    timm_names,
    torchvision_names,
)
from .declaration import Kind

KINDS: tuple[Kind, ...] = (
    digits.KIND,
    torchvision_names.KIND,
    timm_names.KIND,
    arrays.KIND,
    saved.KIND,
    metadata.KIND,
    tables.KIND,
    shards.KIND,
    class_directories.KIND,
    hub.KIND,  # takes every other name
)


def open_collection(request: Request) -> Collection:
    """Open the data that a request names.

    Raises:
        UsageError: there are none, or an option does not go with them.
    """
    kind = next(kind for kind in KINDS if kind.matches(request))
    kind.check(request)
    return kind.open(request)
