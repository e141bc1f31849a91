"""evaluation.json in a run's directory: the results of each call of `timm-multimix evaluate`."""

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import cannot_write, check_writable, digest
from .lock import alone_with

Evaluation = dict[str, Any]
"""The record of one call: model, data, settings, and each part that was measured."""

FILE = "evaluation.json"


def read_all(file: Path) -> list[Evaluation]:
    """Return the evaluations in a file, oldest first; none if it cannot be read.

    A file of an earlier version holds a single one, not in a list.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(content, dict):
        return []
    found = content.get("evaluations", [content])
    return [item for item in found if _is_evaluation(item)] if isinstance(found, list) else []


def _is_evaluation(item: Any) -> bool:
    return isinstance(item, dict) and {"model", "data"} <= item.keys()


def check_addable(file: Path) -> None:
    """Check that a file can be written and holds nothing but evaluations, as other content would be lost.

    Raises:
        UsageError: it cannot, or does not.
    """
    try:
        with alone_with(file):
            check_writable(file)
    except OSError as error:
        raise UsageError(f"{cannot_write(file, error)}; choose another file by --output") from error
    if file.is_file() and file.stat().st_size and not read_all(file):
        raise UsageError(
            f"{file} holds no evaluations, or is damaged; move it away or choose another --output"
        )


def read_evaluations(run: Path, model: Path) -> list[Evaluation]:
    """Return the evaluations in a run's directory that are of the weights in the directory `model`.

    A run that is kept without weights has all its evaluations, unless these are of different weights.
    """
    found = read_all(run / FILE)
    measured = {weights_of(item) for item in found}
    try:
        weights = digest(model / "model.safetensors") if found else None
    except FileNotFoundError:
        weights = measured.pop() if len(measured) == 1 else None
    except OSError:
        return []
    return [item for item in found if weights and weights_of(item) == weights]


def weights_of(evaluation: Evaluation) -> str | None:
    """Return the digest of the weights that were measured."""
    model = evaluation.get("model")
    return model.get("sha256") if isinstance(model, dict) else None


def conditions(evaluation: Evaluation) -> tuple[Any, ...]:
    """Return the conditions of an evaluation: numbers under equal conditions are comparable."""
    weights = weights_of(evaluation) or evaluation.get("model")
    return (weights, *(evaluation.get(name) for name in ("data", "input_size", "input")))
