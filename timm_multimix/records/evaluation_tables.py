"""The tables of an evaluation, for the terminal and for the card, and what of it may be published."""

import json
import math
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..files import digest
from ..redaction import last_part, public, redact

Evaluation = dict[str, Any]

FILE = "evaluation.json"
"""In a run's folder, written by `timm-multimix evaluate`."""


class Table(NamedTuple):
    """A table of texts; the first column names the rows."""

    title: str
    header: list[str]
    rows: list[list[str]]


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


def make_tables(evaluation: Evaluation) -> list[Table]:
    """A table for each part that was measured."""
    parts: dict[str, Callable[[Any], Table]] = {
        "accuracy": _accuracy,
        "calibration": _calibration,
        "embedding": _embedding,
        "attacks": _attacks,
        "ood": _ood,
        "corruptions": _corruptions,
        "consistency": _consistency,
    }
    return [make(evaluation[name]) for name, make in parts.items() if evaluation.get(name)]


def _accuracy(part: dict[str, Any]) -> Table:
    names = {"top1": "top-1", "top5": "top-5"}
    return Table("Accuracy", ["", "right"], [[names[name], percent(value)] for name, value in part.items()])


def _calibration(part: dict[str, Any]) -> Table:
    header = ["", "NLL", f"ECE, {part['bins']} bins", "Brier"]
    rows = [["all images", *_scores(part)]]
    scaled = part.get("temperature_scaling")
    if scaled:
        rows += [
            ["half of them, as they are", *_scores(scaled["before"])],
            [f"the same half, temperature {number(scaled['temperature'])}", *_scores(scaled["after"])],
        ]
    return Table("Calibration", header, rows)


def _scores(part: dict[str, Any]) -> list[str]:
    return [number(part["nll"]), number(part["ece"]), number(part["brier"])]


def _embedding(part: dict[str, Any]) -> Table:
    spread = part["class_spread"]
    rows = [
        ["alignment (same class, low is good)", number(part["alignment"])],
        ["uniformity (all pairs, low is good)", number(part["uniformity"])],
        ["variance within classes", number(spread["within"])],
        ["variance between classes", number(spread["between"])],
        ["within / between", number(spread["ratio"])],
    ]
    return Table("Embedding", [f"of {part['dimensions']} numbers, on the unit sphere", ""], rows)


def _attacks(part: dict[str, Any]) -> Table:
    budgets = [f"\u03b5 = {budget(value)}" for value in part["epsilons"]]
    sources = {"white box": part["white_box"]}
    if transfer := part.get("transfer"):
        sources[f"black box from {short_name(transfer['from'])}"] = transfer["top1"]
    rows = [
        [f"{source}, {attack_name(method, part['steps'])}", percent(part["clean_top1"]), *map(percent, row)]
        for source, found in sources.items()
        for method, row in found.items()
    ]
    return Table(f"Top-1 under attack ({part['samples']} images)", ["", "clean", *budgets], rows)


def _ood(part: list[dict[str, Any]]) -> Table:
    header = ["", "AUROC", "AUPR in", "AUPR out", "FPR at 95 % TPR", "detection"]
    names = ("auroc", "aupr_in", "aupr_out", "fpr95", "detection_accuracy")
    rows = [
        [
            f"{data_name(data)} ({data['samples']}), {score.replace('_', ' ')}",
            *(percent(row[n]) for n in names),
        ]
        for data in part
        for score, row in data["scores"].items()
    ]
    return Table("Telling unknown pictures from known ones", header, rows)


def _corruptions(part: dict[str, Any]) -> Table:
    header = ["", *(f"strength {n}" for n in range(1, 6)), "mean"]
    rows = [[name, *map(percent, row), percent(sum(row) / len(row))] for name, row in part["top1"].items()]
    blank = [""] * 5
    return Table("Top-1 under corruption", header, [*rows, ["mean", *blank, percent(part["mean_top1"])]])


def _consistency(part: list[dict[str, Any]]) -> Table:
    rows = [[row["mix"], number(row["kl"]), number(row["total_variation"])] for row in part]
    return Table("Mixing consistency: f(mix) against mix(f)", ["", "KL", "total variation"], rows)


def short_name(name: str) -> str:
    """The last part of a folder, and other names as they are."""
    return last_part(name) if name.startswith(("/", "~", ".")) or "\\" in name else name


def data_name(data: dict[str, Any]) -> str:
    """What a dataset in an evaluation is called: a folder by its last part, however its path was given."""
    name = str(data["dataset"])
    return last_part(name) if data.get("kind") == "folder" else short_name(name)


def percent(value: float | None) -> str:
    """A number of per cents; a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.2f} %"


def number(value: float | None) -> str:
    """A number; a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def attack_name(method: str, steps: int) -> str:
    """A method with the number of its steps, where it makes more than one."""
    return method if method == "fgsm" else f"{method} of {steps} steps"


def budget(value: float) -> str:
    """A budget in steps of 8-bit pixels where it is a few of them, or halves."""
    halves = value * 510
    few = abs(halves - round(halves)) < 1e-9 and 0 < halves <= 64
    return f"{round(halves) / 2:g}/255" if few else f"{value:g}"
