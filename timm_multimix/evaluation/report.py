"""The record of an evaluation: assembled, written to its file, and rendered for the terminal."""

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import digest, finite, write_text
from ..options.evaluation import EvaluateOptions
from ..records.evaluation_tables import Table
from ..records.evaluations import FILE, Evaluation, read_all
from ..records.provenance import command, describe_hardware, versions
from ..records.reader import run_directory
from .accumulate import add
from .job import Job, describe_data, describe_model
from .pictures import OTHER_CLASSES
from .sections import footnote, make_tables


def write(job: Job, parts: dict[str, Any]) -> Evaluation:
    """Assemble the record and add it to those in its file.

    Raises:
        UsageError: the file cannot be written.
    """
    record = finite(describe(job) | parts)
    file = find_file(job.options)
    if file is not None:
        content = {"evaluations": add(read_all(file), record)}
        try:
            write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from error
    return record


def find_file(options: EvaluateOptions) -> Path | None:
    """Return the file of the record: --output, else that of the evaluated run's directory."""
    run = run_directory(options.network.model)
    return options.report.output or (run / FILE if run else None)


def describe(job: Job) -> Evaluation:
    """Return the subject and the conditions of the evaluation."""
    weights = job.run / "model" / "model.safetensors" if job.run else None
    model = describe_model(job.options.network.model) | {"outputs": job.outputs}
    if job.classifier.is_random:
        model["weights"] = f"random, seed {job.options.report.seed}"
    data = describe_data(job.dataset) | {"split": job.split.name, "samples": len(job.pictures)}
    if job.other_classes:
        data["classes"] = OTHER_CLASSES
    skipped = len(job.pictures.dataset.broken)
    config = job.classifier.data_config
    return {
        "model": model | ({"sha256": digest(weights)} if weights else {}),
        "data": data | ({"skipped": skipped} if skipped else {}),
        "input_size": list(config["input_size"]),
        "input": {name: config[name] for name in ("crop_pct", "crop_mode", "interpolation")},
        "hardware": describe_hardware(job.classifier.mean.device, 1),
        "versions": versions(),
        "commands": [command()],
    }


def render(record: Evaluation) -> str:
    """Return the record as text for a terminal."""
    data = record["data"]
    head = f"{record['model']['name']} on {data['dataset']}, split {data['split']}, {data['samples']} images"
    head += f" ({data['skipped']} broken ones left out)" if data.get("skipped") else ""
    head += f"; {data['classes']}" if data.get("classes") else ""
    head += f"; weights: {record['model']['weights']}" if record["model"].get("weights") else ""
    return "\n\n".join([head, *map(render_table, make_tables(record)), footnote(record)])


def render_table(table: Table) -> str:
    """Return a table with aligned columns, numbers to the right."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]

    def show(line: list[str]) -> str:
        first, *rest = line
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        return "  " + "  ".join([f"{first:{widths[0]}}", *cells]).rstrip()

    return "\n".join([table.title, *map(show, lines)])
