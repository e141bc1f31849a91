"""Names of datasets: Hub ids, timm's prefixes and paths, distinguished before anything is opened."""

import difflib
import os
import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .errors import UsageError

TORCH = "torch/"
"""Prefix of timm's names of torchvision's datasets."""

TIMM = ("hfds/", "hfids/", "wds/", "tfds/")
"""Prefixes of timm's names of other libraries' datasets."""

_ID = r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?"
_HUB_ID = re.compile(_ID)
_NAME = re.compile(rf"({_ID})(?::([\w.+-]+))?(?:@([\w./+-]+))?")


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form of a Hub id, `NAME` or `OWNER/NAME`."""
    return _HUB_ID.fullmatch(name) is not None


class HubName(NamedTuple):
    """A dataset of the Hub as `--dataset` names it: ID, ID:CONFIGURATION, ID@REVISION or both."""

    repo_id: str
    configuration: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubName | None":
        """Split a name, also timm's `hfds/ID`, into its parts; None if it cannot be a Hub dataset."""
        found = _NAME.fullmatch(text.removeprefix("hfds/").removeprefix("hfids/"))
        return cls(*found.groups()) if found else None

    @property
    def arguments(self) -> dict[str, str]:
        """Arguments for `datasets` besides the id."""
        told = {"name": self.configuration, "revision": self.revision}
        return {name: value for name, value in told.items() if value is not None}


def must_be_path(dataset: str) -> bool:
    """Whether a name can only be a path: it has not the form of a Hub id, or begins with a directory."""
    return HubName.parse(dataset) is None or ("/" in dataset and os.path.isdir(dataset.split("/")[0]))


def check_path(dataset: str) -> None:
    """Check that a name which can only be a path exists.

    Raises:
        UsageError: it does not exist.
    """
    if dataset.startswith((TORCH, *TIMM)) or os.path.exists(os.path.expanduser(dataset)):
        return
    if must_be_path(dataset):
        raise missing_path(dataset)


def missing_path(dataset: str) -> UsageError:
    """Return the error for a path that does not exist, with the most similar name next to it."""
    path = Path(dataset).expanduser()
    near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1)
    hint = f" (did you mean {Path(dataset).with_name(near[0])}?)" if near else ""
    return UsageError(
        f"dataset '{dataset}': no such directory{hint}; expected 'digits', a directory, or a Hub id"
    )


def _names_in(directory: Path) -> list[str]:
    """Return the names in a directory, the first thousand of a large one; none if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in islice(entries, 1000)]
    except OSError:
        return []
