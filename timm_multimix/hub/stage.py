"""Staging directories for publication: a model, its record and its curves; created atomically.

They are in a run's `hub/`: `epoch-NNNNN` for a saved epoch, `result` for the end; `-tag` is appended to the
names of those whose commit gets a tag.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ..files import fresh_directory, publish_directory
from .card import make_body, make_card
from .metadata import make_metadata
from .record import Record, dump, with_license
from .remote import README, RECORD, Content, Remote, seal

_FILES = ("config.json", "model.safetensors")
_TAG = "-tag"


def stage(directory: Path, record: Record, model: Path, curves: Path) -> Path:
    """Make `directory` of copies, in place of an older one; the card comes when the repository is known."""
    temporary = fresh_directory(directory)
    for name in _FILES:
        shutil.copyfile(model / name, temporary / name)
    shutil.copyfile(curves, temporary / "curves.png")
    (temporary / RECORD).write_text(dump(record), encoding="utf-8")
    publish_directory(temporary, directory)
    return directory


def read_record(directory: Path) -> Record:
    """The record in a staged directory."""
    record: Record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
    return record


def make_readme(directory: Path, repo_id: str) -> bytes:
    """The card of a staged directory, for a new repository."""
    return make_card(read_record(directory), repo_id).encode()


def contents(directory: Path, there: Remote, overwrite: bool) -> dict[str, Content]:
    """All files of a staged directory and the card, as they go to a repository with what people wrote there.

    Raises:
        WouldOverwrite: if anything that others wrote would be lost, and it is not to be overwritten.
    """
    record = read_record(directory)
    files: dict[str, Content] = {
        path.name: path for path in sorted(directory.iterdir()) if path.name != RECORD
    }
    if not overwrite:
        there.check_ours(record["model"]["architecture"], record["model"]["label_names"])
        there.check_untouched(files)
    metadata = make_metadata(record, there.repo_id).to_dict()

    def make_text(merged: dict[str, Any]) -> str:
        return make_body(with_license(record, merged.get("license")), there.repo_id)

    readme, text = there.merge_card(metadata, make_text, overwrite)
    return files | {README: readme.encode(), RECORD: seal(record, metadata, text, files)}


def epoch_directory(run: Path, epoch: int, tag: bool) -> Path:
    """Return the staging directory of a saved epoch."""
    return run / "hub" / f"epoch-{epoch:05d}{_TAG if tag else ''}"


def result_directory(run: Path, tag: bool) -> Path:
    """Return the staging directory of a run's result."""
    return run / "hub" / f"result{_TAG if tag else ''}"


def is_result(directory: Path) -> bool:
    """Whether a staged directory is a run's end."""
    return directory.name.startswith("result")


def wants_tag(directory: Path) -> bool:
    """Whether the commit of a staged directory gets a tag."""
    return directory.name.endswith(_TAG)


def staged_epochs(run: Path) -> list[Path]:
    """Return the staged epochs that are not published, oldest first; of those without a tag, the newest.

    Incomplete directories of a killed run are deleted.
    """
    for leftover in (run / "hub").glob(".tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return drop_superseded(sorted((run / "hub").glob("epoch-*")))


def drop_superseded(directories: list[Path]) -> list[Path]:
    """Delete those that a later one replaces: without a tag, nobody could find them again."""
    kept = [directory for directory in directories[:-1] if wants_tag(directory)] + directories[-1:]
    for directory in set(directories) - set(kept):
        discard(directory)
    return kept


def discard(directory: Path) -> None:
    """Delete a staged directory."""
    shutil.rmtree(directory, ignore_errors=True)


def clear(run: Path) -> None:
    """Delete all that a run has staged."""
    shutil.rmtree(run / "hub", ignore_errors=True)
