"""The record of a run: metrics.csv, curves.png, summary.json."""

import csv
import io
import itertools
import json
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..data.fingerprint import fingerprint
from ..figures import COLOURS, THEMES, marker, set_title, styled
from ..files import write_text
from ..records.provenance import base_model, command, dataset_kind, describe_hardware, versions
from ..records.schema import ParentRecord, RunRecord, Scores
from ..records.tasks import CLASSIFICATION, TASKS
from .in_force import in_force
from .memorization import describe_noise
from .setup import Setup
from .state import Position, Totals

TIMING = ("seconds", "images_per_second")
"""The last columns of metrics.csv: of training only, and alone in differing from run to run."""


def epoch_row(
    setup: Setup,
    position: Position,
    totals: Totals,
    results: dict[str, Scores],
    memorization: dict[str, float],
) -> dict[str, Any]:
    """Return a row of metrics.csv.

    train_top1_weighted is the target mass on the predicted class, a fair accuracy under mixing.
    skipped_updates are the updates of the epoch without effect, as the gradient was not finite. An epoch
    without evaluation has no columns of it.
    """
    row: dict[str, Any] = {"epoch": position.epoch, "train_loss": totals.loss}
    if setup.splits.task == CLASSIFICATION:
        row["train_top1_weighted"] = totals.top1_weighted
    for kind, result in results.items():
        name = {"raw": "eval", "ema": "ema"}[kind]
        row |= {f"{name}_{key}": value for key, value in result.metrics.items()}
    row |= memorization
    row |= {"lr": max(group["lr"] for group in setup.optimizer.param_groups), "updates": position.updates}
    row["skipped_updates"] = totals.left_out
    return row | dict(
        zip(TIMING, (round(position.seconds, 3), round(totals.images / position.seconds, 1)), strict=True)
    )


def write_metrics(run: Path, rows: list[dict[str, Any]]) -> None:
    """Rewrite metrics.csv, atomically."""
    text = io.StringIO()
    columns = max(rows, key=len)  # of an epoch that was evaluated
    writer = csv.DictWriter(text, columns.keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(run / "metrics.csv", text.getvalue())


def draw_curves(run: Path, rows: list[dict[str, Any]], task: str = CLASSIFICATION) -> None:
    """Write curves.png: the loss, the metric of the task and the learning rate by epoch."""
    from matplotlib.figure import Figure

    theme, metric = THEMES["light"], TASKS[task].metric
    endings = {"loss": "loss", TASKS[task].scores[0]: metric.in_unit(metric.full_name), "lr": "learning rate"}
    figure = Figure(figsize=(12, 3.6), layout="constrained", facecolor=theme["paper"])
    for axes, (ending, title) in zip(figure.subplots(1, len(endings)), endings.items(), strict=True):
        panel = styled(axes, theme)
        names = [key for key in max(rows, key=len) if key.removesuffix("_weighted").endswith(ending)]
        for name, colour in zip(names, itertools.cycle(COLOURS), strict=False):
            points = [(row["epoch"], row[name]) for row in rows if name in row]
            look = {"color": colour, "linewidth": 1.8, "marker": marker(points), "markersize": 4}
            panel.plot(*zip(*points, strict=True), label=name.replace("_", " "), **look)
        set_title(panel, title, theme)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(color=theme["faint"], linewidth=0.6)
        if len(names) > 1:
            panel.legend(frameon=False, fontsize=9, labelcolor=theme["ink"])
    temporary = run / ".tmp-curves.png"
    figure.savefig(temporary, dpi=120)
    os.replace(temporary, run / "curves.png")


def summarize(
    setup: Setup, position: Position, results: dict[str, Scores], exported: str, ranks: Mapping[str, Any]
) -> RunRecord:
    """Return the record of a run at the end of an epoch; `ranks` is known only at the end of the run."""
    options, rows = setup.options, position.rows
    network = options.network
    seconds = sum(row["seconds"] for row in rows)
    split, task = setup.splits.evaluation_split, setup.splits.task
    metric = TASKS[task].scores[0]
    record = RunRecord(
        mix=options.mixing.mix,
        model=network.model,
        base_model=base_model(network.model, network.pretrained and not network.local_weights),
        dataset=options.data.dataset,
        dataset_kind=dataset_kind(options.data.dataset),
        epochs=setup.epochs,
        seed=options.run.seed,
        parent=ParentRecord(**position.parent) if position.parent else None,
        samples_evaluated=results[exported].samples,
        task=None if task == CLASSIFICATION else task,
        best_epoch=position.best_epoch,
        exported_weights=exported,
        evaluation_split=split,
        evaluation_data=fingerprint(setup.splits.evaluation),
        best_chosen_on_test_split=split.startswith("test"),
        results=results,
        train_split=setup.splits.train_split,
        train_samples=len(setup.train.dataset),
        skipped_samples=setup.data.skipped,
        classes=len(setup.splits.class_names),
        data=setup.data.record,
        label_noise=describe_noise(setup, rows),
        parameters=sum(parameter.numel() for parameter in setup.model.parameters()),
        **ranks,
        hardware=describe_hardware(setup.accelerator.device, setup.accelerator.num_processes),
        **vars(in_force(setup)),
        peak_memory_bytes=peak_memory(setup.accelerator.device),
        train_seconds=round(seconds, 3),
        images_per_second=round(sum(row["seconds"] * row["images_per_second"] for row in rows) / seconds, 1),
        command=command(),
        versions=versions(),
    )
    scores = {metric: results[exported].value(metric), f"{metric}_best": position.best}
    return replace(record, **scores)  # type: ignore[arg-type]  # by the task, one of several optional fields


def write_summary(run: Path, record: RunRecord) -> None:
    """Write summary.json, which marks a run as finished and so comes last."""
    write_text(run / "summary.json", json.dumps(record.to_dict(), indent=2) + "\n")


def peak_memory(device: torch.device) -> int:
    """Return this process's peak memory in bytes: allocated on a GPU, else resident in main memory.

    For a resumed run it is the peak since then.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
