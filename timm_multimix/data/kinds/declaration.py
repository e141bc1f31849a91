"""What a kind of data declares."""

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import UsageError
from ...records.tasks import CLASSIFICATION
from ..collection import Collection
from ..request import Request
from ..targets import AUTO


@dataclass(frozen=True)
class Kind:
    """Data that `--dataset` can name.

    Args:
        title: what it is.
        form: how `--dataset` names it.
        about: what is expected of it, and what its splits and classes are; Markdown for docs/data.md.
        matches: whether a request is for data of this kind, asked in the order of `KINDS`.
        open: the data.
        uses: the options that say more about data of this kind; others are refused.
    """

    title: str
    form: str
    about: str
    matches: Callable[[Request], bool]
    open: Callable[[Request], Collection]
    uses: frozenset[str] = frozenset()

    def check(self, request: Request) -> None:
        """Check that no option is given that says nothing about data of this kind.

        Raises:
            UsageError: one is.
        """
        for option, lack in _REFUSALS.items():
            value = getattr(request, option)
            if value and value not in (AUTO, CLASSIFICATION) and option not in self.uses:
                given = "" if value is True else f" {value}"
                raise UsageError(f"`{option}`{given}: '{request.dataset}' {lack}")


COLUMNS = frozenset({"image_column", "label_column", "task"})
"""The options of tables."""

_REFUSALS = {
    "streaming": "is not on the Hub nor a directory of parquet or tar files",
    "image_column": "has no columns (tables have them)",
    "label_column": "has no columns (tables have them)",
    "task": "has one class for each image",
    "data_dir": "needs none; torch/ and wds/ names and tables of paths do",
    "dataset_download": "cannot be downloaded that way; torch/ names can",
}
