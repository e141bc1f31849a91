"""evaluation.json, which `timm-multimix evaluate` writes in a run's directory, and its public form."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..files import digest
from ..redaction import last_part, public, redact

Evaluation = dict[str, Any]

FILE = "evaluation.json"


def read_evaluation(run: Path, model: Path) -> Evaluation | None:
    """The evaluation in a run's folder, if it is of the weights in the folder `model`."""
    try:
        found = json.loads((run / FILE).read_text(encoding="utf-8"))
        return found if found["model"]["sha256"] == digest(model / "model.safetensors") else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def public_evaluation(evaluation: Evaluation) -> Evaluation:
    """An evaluation as others may see it: folders by their names."""
    folders = {evaluation["model"]["name"], *_folders(evaluation)}
    names = {folder: last_part(folder) for folder in folders}
    told = public(_renamed({k: v for k, v in evaluation.items() if k != "commands"}, names))
    words = [shlex.split(command) for command in evaluation["commands"]]
    return told | {
        "commands": [
            shlex.join(redact(names[word]) if word in names else public(word) for word in line)
            for line in words
        ]
    }


def _folders(evaluation: Evaluation) -> Iterator[str]:
    for data in (evaluation["data"], *evaluation.get("ood", [])):
        if data["kind"] == "folder":
            yield data["dataset"]
    transfer = evaluation.get("attacks", {}).get("transfer")
    if transfer and not transfer["from"].startswith("hf-hub:"):
        yield transfer["from"]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {name: _renamed(item, names) for name, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value
