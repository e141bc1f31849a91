"""evaluation.json, which `timm-multimix evaluate` writes in a run's directory."""

import json
from pathlib import Path
from typing import Any

from ..files import digest

Evaluation = dict[str, Any]

FILE = "evaluation.json"


def read_evaluation(run: Path, model: Path) -> Evaluation | None:
    """The evaluation in a run's folder, if it is of the weights in the folder `model`."""
    try:
        found = json.loads((run / FILE).read_text(encoding="utf-8"))
        return found if found["model"]["sha256"] == digest(model / "model.safetensors") else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
