"""The record of an evaluation: assembled, written to its file, and rendered for the terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import cannot_write, digest, finite, write_text
from ..options.evaluation import EvaluateOptions
from ..records.evaluation_tables import Table
from ..records.evaluations import FILE, Evaluation, read_all
from ..records.lock import alone_with
from ..records.provenance import command, describe_hardware, versions
from ..records.reader import run_directory
from .accumulate import add
from .job import Job, describe_data, describe_model
from .pictures import OTHER_CLASSES
from .sections import footnote, make_tables


class Unwritten(UsageError):
    """Files of an evaluation that could not be written at its end; `record` has what was measured."""

    def __init__(self, problems: Mapping[Path, OSError], record: Evaluation) -> None:
        super().__init__("; ".join(cannot_write(file, error) for file, error in problems.items()))
        self.files, self.record = set(problems), record


def write(job: Job, parts: dict[str, Any]) -> Evaluation:
    """Assemble the record and add it to those in its file.

    Raises:
        Unwritten: a file could not be written, this one or one of the job before.
    """
    record, problems = finite(describe(job) | parts), dict(job.unwritten)
    file = find_file(job.options)
    if file is not None:
        try:
            keep(file, record)
        except OSError as error:
            problems[file] = error
    if problems:
        raise Unwritten(problems, record)
    return record


def keep(file: Path, record: Evaluation) -> None:
    """Add a record to those in a file, which other processes may do, too; raises OSError."""
    with alone_with(file):
        content = {"evaluations": add(read_all(file), record)}
        write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


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
