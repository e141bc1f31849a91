"""A request for a dataset: its name and the options that say how to read it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Request:
    """A dataset by name.

    Args:
        dataset: what `--dataset` names.
        image_column: the column of a table with the images; None: found by name and type.
        label_column: the column of a table with the labels; None: found by name and type. Several, with
            commas between them, are multi-label targets of 0 and 1.
        task: what the labels are for, one of `records.tasks.TASKS`; auto: by their type.
        data_dir: where torchvision's datasets lie, and what paths in a table are relative to.
        dataset_download: whether torchvision may download.
        streaming: whether training images are read as they arrive.
    """

    dataset: str
    image_column: str | None = None
    label_column: str | None = None
    task: str = "auto"
    data_dir: Path | None = None
    dataset_download: bool = False
    streaming: bool = False

    @property
    def path(self) -> Path:
        """The name as a path."""
        return Path(self.dataset).expanduser()

    @property
    def directory(self) -> Path | None:
        """The directory that is named, if it is one."""
        return self.path if self.dataset and self.path.is_dir() else None

    @property
    def file(self) -> Path | None:
        """The file that is named, if it is one."""
        return self.path if self.dataset and self.path.is_file() else None
