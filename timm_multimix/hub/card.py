"""Model cards: metadata and a template, filled only from the record of a run."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template

from ..dataset_names import HubName, is_hub_id
from ..errors import printable
from ..evaluation.sections import footnote, make_tables
from ..markdown import Markup, block, code, escape
from ..options import TrainOptions
from ..options.relations import names_of
from ..records.evaluation_tables import Table
from ..records.evaluations import Evaluation, conditions
from ..records.metrics import METRICS
from .merge import Parts, join, without_marks
from .metadata import is_own, make_metadata
from .methods import methods, unique_citations
from .record import Record, task_of

SHOWN_CLASSES = 20


def make_card(record: Record, repo_id: str) -> str:
    """The text of README.md for a repository that has none."""
    return join(
        make_metadata(record, repo_id).to_yaml(), Parts(None, "", None, ""), make_body(record, repo_id)
    )


def make_body(record: Record, repo_id: str) -> str:
    """The generated text of README.md, without metadata and marks."""
    return without_marks(printable(load_template().render(describe(record, repo_id))))


@cache
def load_template() -> Template:
    """Return the template; all values in it are escaped, except `Markup`."""
    environment = Environment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "code": code,
        "cells": cells,
        "arxiv": arxiv,
        "hub_link": hub_link,
    }
    return environment.from_string(files(__package__).joinpath("templates/card.md").read_text("utf-8"))


def cells(texts: list[str]) -> Markup:
    """The cells of a row of a table."""
    return Markup(" | ".join(escape(text) for text in texts))


def arxiv(number: str) -> Markup:
    """A link to a paper."""
    return Markup(f"[arXiv:{number}](https://arxiv.org/abs/{number})")


def hub_link(name: str, place: str = "") -> Markup | str:
    """A link to a model or, with place `datasets/`, a dataset; plain text where the name is no id."""
    if not is_hub_id(name):
        return name
    return Markup(f"[{escape(name)}](https://huggingface.co/{place}{name})")


def describe(record: Record, repo_id: str) -> dict[str, Any]:
    """The variables of the template."""
    summary, model = record["summary"], record["model"]
    found, task = methods(summary["mix"]), task_of(summary)
    base, data = summary["base_model"], summary["dataset"]
    channels, *size = model["input"]["input_size"]
    evaluations = record.get("evaluations", [])
    return record | {
        "repo_id": Markup(repo_id),
        "base_model": base,
        "start": start(base, record["options"]),
        "data": data_name({"dataset": data, "kind": summary["dataset_kind"]}),
        "name": repo_id.split("/")[1],
        "methods": found,
        "own": is_own(model["architecture"]),
        "channels": channels,
        "size": " x ".join(map(str, size)),
        "pixel_mode": "L" if channels == 1 else "RGB",
        "classes": model["label_names"][:SHOWN_CLASSES],
        "more_classes": max(0, len(model["label_names"]) - SHOWN_CLASSES),
        "results": results(record),
        "task": task,
        "metric": task.metric,
        "value": record["published"][task.scores[0]],
        "parent_result": summary.get("parent", {}).get(task.scores[0]),
        "by_class": task.criterion == "softmax",
        "numbers": task.criterion == "mse",
        "finished": len(record["metrics"]) >= summary["epochs"],
        "command": block(summary["command"], "shell"),
        "label_noise": record["options"].get("label_noise"),
        "evaluations": describe_evaluations(evaluations, summary),
        "footnote": footnote(*evaluations),
        "versions": ", ".join(f"{name} {version}" for name, version in summary["versions"].items()),
        "citation": block("\n\n".join(unique_citations(found)), "bibtex") if found else None,
        "minutes": f"{summary['train_seconds'] / 60:.1f}",
    }


def describe_evaluations(evaluations: list[Evaluation], summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Group the evaluations by equal conditions, those of the run's own dataset first."""
    groups: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        groups.setdefault(repr(conditions(evaluation)), []).append(evaluation)
    shown = [_describe_group(group, summary) for group in groups.values()]
    return sorted(shown, key=lambda group: not group["own"])


def _describe_group(group: list[Evaluation], summary: dict[str, Any]) -> dict[str, Any]:
    data = group[0]["data"]
    commands = dict.fromkeys(line for evaluation in group for line in evaluation["commands"])
    return {
        "own": (data["dataset"], data["kind"]) == (summary["dataset"], summary["dataset_kind"]),
        "data": data_name(data),
        "split": data["split"],
        "samples": data["samples"],
        "classes": data.get("classes"),
        "size": " x ".join(map(str, group[0]["input_size"][1:])),
        "commands": block("\n".join(commands), "shell"),
        "tables": make_tables(*group),
    }


def data_name(data: dict[str, str]) -> Markup | str:
    """A dataset's name, with a link where it is on the Hub."""
    name = HubName.parse(data["dataset"]) if data["kind"] == "hub" else None
    if name is None:
        return data["dataset"]
    parts = {"configuration": name.configuration, "revision": name.revision}
    told = ", ".join(f"{part} {code(value)}" for part, value in parts.items() if value is not None)
    return Markup(f"{hub_link(name.repo_id, 'datasets/')}{f' ({told})' if told else ''}")


def start(base: str | None, options: dict[str, Any]) -> Markup:
    """Return the source of the weights, as the words before those for the data."""
    if base:
        return Markup(f"fine-tuned from {escape(hub_link(base))} on")
    local = any(options.get(name) for name in names_of(TrainOptions, initial_weights=True))
    return Markup("fine-tuned from local weights on" if local else "trained on")


def results(record: Record) -> Table:
    """A row for the raw and the averaged weights each: last and best epoch of the run so far."""
    rows, summary = record["metrics"], record["summary"]
    few = record["model"]["num_classes"] <= 5  # top-5 is always right
    task = task_of(summary)
    shown = {key: METRICS[key] for key in (*task.scores, "loss") if not (few and key == "top5")}
    main, table = task.metric, []
    choose = min if main.better == "lower" else max
    for kind, last in summary["results"].items():
        column = f"{ {'raw': 'eval', 'ema': 'ema'}[kind] }_{task.scores[0]}"
        best = choose((row for row in rows if column in row), key=lambda row: row[column])
        told = {"raw": "raw", "ema": "moving average"}[kind]
        cells = [metric.format(last[key]) for key, metric in shown.items()]
        table.append([told, *cells, f"{main.format(best[column])} (epoch {int(best['epoch'])})"])
    header = ["weights", *(f"{metric.label}, last epoch" for metric in shown.values())]
    return Table("Results", [*header, f"{main.label}, best epoch"], table)
