"""A whole run, from options to a model that timm loads."""

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from .checkpoint import load_checkpoint, save_checkpoint
from .engine import start_accelerator, start_trackers
from .evaluate import Evaluation, evaluate
from .export import export_model
from .loop import train_epoch
from .packing import is_sharded
from .place import claim, find_place
from .position import Position
from .progress import Progress
from .publish import check_publishing, offer_best, open_target, publish_finished, start_uploader
from .ranks import compare_ranks, on_main
from .record import draw_curves, epoch_row, summarize, write_metrics, write_summary
from .setup import Setup, build
from .sums import Sums


def run(options: Namespace) -> dict[str, Any]:
    """Train as the options say, from `parse_train_options`; gives the content of summary.json.

    Raises:
        UsageError: for a mistake in the options, before anything is written; or where the loss is not finite.
    """
    accelerator = start_accelerator(options)
    place = on_main(accelerator, lambda: find_place(options))
    on_main(accelerator, lambda: check_publishing(options))
    if place.summary is not None:
        on_main(accelerator, lambda: publish_finished(place.folder, options))
        accelerator.print(f"{place.folder} is finished: top-1 {place.summary['top1']:.2f} %")
        return place.summary

    setup = build(place.options, accelerator)
    position, sums = start(setup, place.checkpoint)
    on_main(accelerator, lambda: open_target(options))
    folder = on_main(accelerator, lambda: claim(place, setup.options))
    start_trackers(accelerator, folder, setup.options)
    uploader = start_uploader(setup, folder)

    def save(position: Position, sums: Sums) -> None:
        save_checkpoint(folder / "checkpoints", setup, position, sums)

    results: dict[str, Evaluation] = {}
    progress = Progress(setup)
    while position.epoch < setup.epochs:
        with progress.show(position):
            train_epoch(setup, position, sums, progress, save)
        totals = sums.read(accelerator)
        position.epoch, position.batch = position.epoch + 1, 0
        results = evaluate_all(setup)
        row = epoch_row(setup, position, totals, results)
        position.rows.append(row)
        accelerator.log({f"epoch/{name}": value for name, value in row.items()}, step=position.updates)
        keep_best(setup, position, results, folder)
        position.seconds, sums = 0.0, Sums.zero(accelerator.device)
        save(position, sums)
        if accelerator.is_main_process:
            write_metrics(folder, position.rows)
        so_far = partial(summarize, setup, position, results, exported_kind(setup), {})
        offer_best(uploader, folder, position, setup.epochs, so_far)
        progress.end(position, totals, row)
    summary = finish(setup, position, results or evaluate_all(setup), folder)
    if uploader:
        uploader.finish()
    return summary


def start(setup: Setup, checkpoint: Path | None) -> tuple[Position, Sums]:
    """The beginning of a run, or where a checkpoint left it."""
    setup.task.update_ema(0)
    if checkpoint is None:
        return Position(), Sums.zero(setup.accelerator.device)
    return load_checkpoint(checkpoint, setup)


def exported_kind(setup: Setup) -> str:
    """Which weights are the run's result: raw or ema."""
    wanted = setup.options.export_weights
    return wanted if wanted != "auto" else ("ema" if setup.options.model_ema else "raw")


def evaluate_all(setup: Setup) -> dict[str, Evaluation]:
    """The results of the raw weights and, with --model-ema, of their average."""
    if is_sharded(setup.model):  # only a pass through the whole task brings the parts together
        return {
            "raw": evaluate(setup.wrapped, setup.evaluation, setup.accelerator, setup.layout, setup.predict)
        }
    models = {
        kind: model for kind, model in setup.models().items() if kind == "raw" or setup.options.model_ema
    }
    return {
        kind: evaluate(model, setup.evaluation, setup.accelerator, setup.layout)
        for kind, model in models.items()
    }


def keep_best(setup: Setup, position: Position, results: dict[str, Evaluation], folder: Path) -> None:
    """Keep the weights of the best epoch, before the epoch's checkpoint, so that a resumed run has them."""
    kind = exported_kind(setup)
    if results[kind].top1 > position.best_top1:
        position.best_top1, position.best_epoch = results[kind].top1, position.epoch
        export_model(
            setup,
            kind,
            folder / "checkpoints" / "best",
            {"epoch": position.epoch, "top1": results[kind].top1},
        )


def finish(setup: Setup, position: Position, results: dict[str, Evaluation], folder: Path) -> dict[str, Any]:
    """Export the model, compare the processes, write the record and say where everything is."""
    accelerator, kind = setup.accelerator, exported_kind(setup)
    export_model(setup, kind, folder / "model")
    summary = summarize(setup, position, results, kind, compare_ranks(setup.task))
    if accelerator.is_main_process:
        write_metrics(folder, position.rows)
        draw_curves(folder, position.rows)
        write_summary(folder, summary)
    accelerator.end_training()
    accelerator.print(
        f"top-1 {summary['top1']:.2f} % of {summary['samples_evaluated']} images; the run is in {folder}\n"
        f'load it with timm.create_model("local-dir:{folder}/model", pretrained=True)'
    )
    return summary
