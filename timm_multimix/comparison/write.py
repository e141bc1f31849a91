"""The files of a comparison: images, pages and the record, all in one directory."""

import json
import os
from pathlib import Path

from ..errors import UsageError
from ..files import write_text
from .pages import make_html, make_markdown
from .pictures import PICTURES, draw_all
from .table import Comparison, as_record

PAGES = ("comparison.json", "comparison.md", "comparison.html")
WRITTEN = (*PAGES, *(f"{name}.png" for name in PICTURES))


def check_output(directory: Path) -> None:
    """Raises: UsageError if the files of a comparison cannot be written here, or would replace other ones."""
    above = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not above.is_dir():
        raise UsageError(f"--output {directory}: {above} is a file; choose a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"--output {directory}: {above} cannot be written to")
    if (directory / "config.yaml").is_file():
        raise UsageError(f"--output {directory} holds a run; choose another directory for the comparison")
    strange = [name for name in WRITTEN if (directory / name).exists()]
    if strange and not (directory / "comparison.json").is_file():
        raise UsageError(
            f"--output {directory} holds {strange[0]}, which no comparison wrote; choose another directory"
        )


def write_comparison(directory: Path, comparison: Comparison) -> None:
    """Write or replace all files; comparison.json first, as it marks the directory as a comparison's."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / "comparison.json", json.dumps(as_record(comparison), indent=2) + "\n")
        light, dark = draw_all(comparison, "light"), draw_all(comparison, "dark")
        for name, picture in light.items():
            temporary = directory / f".tmp-{name}.png"
            temporary.write_bytes(picture)
            os.replace(temporary, directory / f"{name}.png")
        write_text(directory / "comparison.md", make_markdown(comparison))
        write_text(directory / "comparison.html", make_html(comparison, light, dark))
    except OSError as error:
        raise UsageError(f"cannot write the comparison: {error}") from error
