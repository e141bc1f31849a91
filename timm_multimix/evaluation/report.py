"""The record of an evaluation, and what a person sees of it."""

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import digest, finite, write_text
from ..options.evaluation import EvaluateOptions
from ..records.evaluation_tables import Table
from ..records.evaluations import FILE, Evaluation
from ..records.provenance import command, describe_hardware, versions
from .classifier import run_folder
from .job import Job, describe_data, describe_model
from .sections import footnote, make_tables

_SAME = ("model", "data", "input_size")


def write(job: Job, parts: dict[str, Any]) -> Evaluation:
    """Join the parts to a record and write it where it belongs.

    Raises:
        UsageError: the file cannot be written.
    """
    record = finite(describe(job) | parts)
    file = find_file(job.options)
    if file is not None:
        record = join(read_old(file), record)
        try:
            write_text(file, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from error
    return record


def find_file(options: EvaluateOptions) -> Path | None:
    """Where the record belongs: --output, else the run's directory, if it is a run that is evaluated."""
    run = run_folder(options.network.model)
    return options.report.output or (run / FILE if run else None)


def describe(job: Job) -> Evaluation:
    """What was measured, and with what."""
    weights = job.run / "model" / "model.safetensors" if job.run else None
    model = describe_model(job.options.network.model) | {"outputs": job.outputs}
    data = describe_data(job.dataset) | {"split": job.split.name, "samples": len(job.pictures)}
    skipped = len(job.pictures.dataset.broken)
    return {
        "model": model | ({"sha256": digest(weights)} if weights else {}),
        "data": data | ({"skipped": skipped} if skipped else {}),
        "input_size": list(job.classifier.data_config["input_size"]),
        "hardware": describe_hardware(job.classifier.mean.device, 1),
        "versions": versions(),
        "commands": [command()],
    }


def read_old(file: Path) -> Evaluation | None:
    """An evaluation written before, if there is one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and set(_SAME) <= found.keys() else None


def join(old: Evaluation | None, new: Evaluation) -> Evaluation:
    """The new record, and the parts that only an older one of the same weights and pictures has."""
    if old is None or "sha256" not in new["model"] or any(old[name] != new[name] for name in _SAME):
        return new
    commands = [line for line in old.get("commands", []) if line not in new["commands"]]
    return old | new | {"commands": commands + new["commands"]}


def render(record: Evaluation) -> str:
    """The record as text for a terminal."""
    data = record["data"]
    head = f"{record['model']['name']} on {data['dataset']}, split {data['split']}, {data['samples']} images"
    head += f" ({data['skipped']} broken ones left out)" if data.get("skipped") else ""
    return "\n\n".join([head, *map(render_table, make_tables(record)), footnote(record)])


def render_table(table: Table) -> str:
    """A table with aligned columns, numbers to the right."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]

    def show(line: list[str]) -> str:
        first, *rest = line
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        return "  " + "  ".join([f"{first:{widths[0]}}", *cells]).rstrip()

    return "\n".join([table.title, *map(show, lines)])
