"""The record of the sweep, by model: written, or compared with."""

import json
from pathlib import Path
from typing import Any

import timm
import torch

PATH = Path(__file__).with_name("record.json")
CLASSES = 7

Row = dict[str, Any]


def load() -> dict[str, Any]:
    if not PATH.exists():
        return {"versions": {}, "models": {}}
    return json.loads(PATH.read_text())


def save(name: str, row: Row) -> None:
    """Put a model's row into the file."""
    known = load()
    known["versions"] = {"timm": timm.__version__, "torch": torch.__version__.split("+")[0]}
    known["models"] = dict(sorted({**known["models"], name: row}.items(), key=_order))
    PATH.write_text(json.dumps(known, indent=1) + "\n")


def _order(item: tuple[str, Row]) -> tuple[str, bool, str]:
    name, row = item
    return row["family"], row["extra"], name


def no_worse(new: Row, old: Row) -> bool:
    """Whether everything that works in the old row works in the new one."""
    return (
        min(new["positions"], 2) >= min(old["positions"], 2)
        and (new["mean_of_positions"] == "logits" or old["mean_of_positions"] != "logits")
        and len(new["refused"]) <= len(old["refused"])
    )
