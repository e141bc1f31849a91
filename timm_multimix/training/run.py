"""A whole run, from options to a model that timm loads."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn

from ..connection.client import check_token
from ..errors import Interrupted, UsageError
from ..logs import TO_FILE, kept_in
from ..options import TrainOptions, options_to_dict
from ..options.publishing import HubOptions
from ..records.lock import RunLock
from ..records.metrics import METRICS
from ..records.schema import RunRecord, Scores
from ..records.tasks import TASKS
from .callbacks import Callback, Callbacks
from .chance import is_at_chance, share_of_largest_class, what_to_try
from .checkpoint import load_checkpoint, load_parent, save_checkpoint
from .consensus import Stop, Watch
from .distributed import compare_ranks, on_main
from .engine import adopt_accumulation, start_accelerator, start_trackers
from .evaluate import evaluate
from .export import architecture_of, export_model, how_to_load
from .faults import Reporter, writing
from .given import NOTHING, Given
from .interrupt import Interrupt
from .loop import train_epoch
from .memorization import measure_memorization
from .nonfinite import check_finite_weights, keep_state
from .opening import tell_opening
from .progress import Progress
from .publishing import (
    offer_best,
    open_target,
    publish_finished,
    start_uploader,
)
from .record import draw_curves, epoch_row, summarize, write_metrics, write_summary
from .run_directory import LOG, RunDirectory, claim, drop_if_worthless, go_on_here, reserve
from .setup import Setup, build
from .sharding import is_sharded
from .state import NonFinite, Position, Sums

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A finished run: summary.json, its directory, and the network with the weights of its result.

    The network is None if the run was already finished before.
    """

    summary: dict[str, Any]
    directory: Path
    model: nn.Module | None = None


def run(options: TrainOptions, given: Given = NOTHING) -> Outcome:
    """Train as the options say; the command line and `timm_multimix.train` both call this.

    Args:
        options: from `parse_train_options` or `from_keywords`.
        given: objects that replace names.

    Returns:
        The finished run.

    Raises:
        UsageError: for a mistake in the options, before anything is written, and for faults around a run:
            a loss that is not finite, a broken image, a full disk, a process that died.
        Interrupted: for SIGTERM or SIGINT, after saving a checkpoint.
    """
    with Interrupt() as interrupt, RunLock() as lock:
        accelerator = start_accelerator(options.run.log_with)
        wanted = options.optimization.grad_accum_steps if "grad_accum_steps" in options.given else None
        if steps := adopt_accumulation(accelerator, wanted):
            options = options.instead(grad_accum_steps=steps)
        reporter = Reporter(accelerator)
        with reporter.told_once():
            return prepare_and_train(options, given, accelerator, interrupt, reporter, lock)


def prepare_and_train(
    options: TrainOptions,
    given: Given,
    accelerator: Accelerator,
    interrupt: Interrupt,
    reporter: Reporter,
    lock: RunLock,
) -> Outcome:
    """Find the run's directory, create its parts, train; remove the directory if nothing was produced."""
    found = on_main(accelerator, lambda: reserve(options, lock))
    if accelerator.is_main_process:
        for line in found.warnings:
            logger.warning(line)
    new = found.summary is None and (found.checkpoint is None or found.parent is not None)
    if new and options.hub.target:
        on_main(accelerator, check_token)
    if found.summary is not None:
        return tell_finished(found, options.hub, accelerator, lock)

    setup = build(found.options, accelerator, given)
    position, sums = start(setup, found)
    if new:  # uploads of a resumed run never keep it from training
        on_main(accelerator, lambda: open_target(options.hub, architecture_of(setup.model)))
    directory = reporter.directory = on_main(accelerator, lambda: claim(found, setup.options, lock))
    try:
        with reporter.told_once(), log_of(directory, accelerator):
            summary = Training(setup, position, sums, directory, interrupt, found, given.callbacks).run()
            return Outcome(summary, directory, setup.models()[exported_kind(setup)].eval())
    except Exception:
        if accelerator.is_main_process:
            drop_if_worthless(found, directory)
        raise
    finally:
        setup.close()


def tell_finished(found: RunDirectory, hub: HubOptions, accelerator: Accelerator, lock: RunLock) -> Outcome:
    """Report a run that had already finished, and publish it if requested."""
    assert found.path is not None
    assert found.summary is not None
    on_main(accelerator, lambda: publish_finished(found.path, hub, lock))
    if accelerator.is_main_process:
        logger.info(f"{found.path} is finished: {result_text(RunRecord.from_dict(found.summary))}")
    return Outcome(found.summary, found.path)


@contextmanager
def log_of(directory: Path, accelerator: Accelerator) -> Iterator[None]:
    """Write the main process's messages to train.log, also those about an early end."""
    with ExitStack() as stack:
        if accelerator.is_main_process:
            with writing(directory, accelerator):
                stack.enter_context(kept_in(directory / LOG))
        try:
            yield
        except (UsageError, Interrupted) as error:
            log = TO_FILE.error if isinstance(error, UsageError) else TO_FILE.info
            log(str(error))
            raise


class Training:
    """A run from a position to its end, with publishing if requested."""

    def __init__(
        self,
        setup: Setup,
        position: Position,
        sums: Sums,
        directory: Path,
        interrupt: Interrupt,
        found: RunDirectory,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.setup, self.position, self.sums = setup, position, sums
        self.directory, self.interrupt = directory, interrupt
        self.source = found if found.goes_on_from_another(directory) else None
        if self.source is None:
            self.advise()
        tell_opening(setup, directory, position)
        start_trackers(setup.accelerator, directory, setup.options.run, options_to_dict(setup.options))
        self.uploader = start_uploader(setup, directory, resumed=position.updates > 0)
        self.watch, self.progress = Watch(setup.accelerator, interrupt), Progress(setup)
        self.callbacks = Callbacks(setup, directory, callbacks)
        self.writing = partial(writing, directory, setup.accelerator)
        self.results: dict[str, Scores] = {}

    def run(self) -> dict[str, Any]:
        """Run to the end; after a signal, or a loss that is not finite, it can be resumed."""
        with self.interrupt.deferred():
            try:
                if self.source is not None:
                    self.go_on_from(self.source)
                summary = self.train()
            except Stop:
                self.save()
                raise self.interrupt.error() from None
            except NonFinite as error:
                with self.writing():
                    raise keep_state(
                        self.directory, self.setup, self.position, self.sums, error.step
                    ) from error
        if self.uploader:
            self.uploader.finish()
        return summary

    def go_on_from(self, source: RunDirectory) -> None:
        """Write a checkpoint of the start; from then on the directory is that of a run."""
        self.save()
        with self.writing():
            if self.setup.accelerator.is_main_process:
                go_on_here(source, self.directory, self.setup.options)
        self.advise()

    def advise(self) -> None:
        """Have an interruption say how to go on; the options of the Hub are in no record."""
        hub = self.setup.options.hub
        again = f" --push-to-hub --hub-model-id {hub.hub_model_id}" if hub.push_to_hub else ""
        self.interrupt.advise(self.directory, again)

    def train(self) -> dict[str, Any]:
        """Train the remaining epochs, and write the summary."""
        while self.position.epoch < self.setup.epochs:
            self.epoch()
        with self.writing():
            results = self.results or evaluate_all(self.setup, self.watch)
            return finish(self.setup, self.position, results, self.directory)

    def epoch(self) -> None:
        """Train and evaluate for an epoch, and save the result: best weights first, then the checkpoint."""
        setup, position = self.setup, self.position
        with self.progress.show(position):
            train_epoch(setup, position, self.sums, self.progress, self.watch, self.callbacks, self.save)
        totals = self.sums.read(setup.accelerator)
        # The epoch is over after evaluation only: a run that is stopped in it evaluates again.
        ended = position.epoch + 1
        evaluated = ended % setup.options.run.val_interval == 0 or ended == setup.epochs
        self.results = evaluate_all(setup, self.watch) if evaluated else {}
        memorization = measure_memorization(setup, self.watch) if evaluated else {}
        position.epoch, position.batch = ended, 0
        row = epoch_row(setup, position, totals, self.results, memorization)
        self.record(row)
        so_far = partial(summarize, setup, position, self.results, exported_kind(setup), {})
        offer_best(self.uploader, self.directory, position, setup.epochs, so_far)
        self.progress.end(position, totals, row)
        self.callbacks.epoch_end(position)

    def record(self, row: dict[str, Any]) -> None:
        """Write an epoch's row and checkpoint."""
        accelerator, position = self.setup.accelerator, self.position
        position.rows.append(row)
        accelerator.log({f"epoch/{name}": value for name, value in row.items()}, step=position.updates)
        with self.writing():
            keep_best(self.setup, position, self.results, self.directory)
        position.seconds, self.sums = 0.0, Sums.zero(accelerator.device)
        self.save()
        with self.writing():
            if accelerator.is_main_process:
                write_metrics(self.directory, position.rows)

    def save(self) -> None:
        """Write a checkpoint, unless the run has failed."""
        self.sums.check(self.setup.accelerator)
        check_finite_weights(self.setup)
        with self.interrupt.save(), self.writing():
            save_checkpoint(self.directory / "checkpoints", self.setup, self.position, self.sums)


def start(setup: Setup, found: RunDirectory) -> tuple[Position, Sums]:
    """Return the start of a run, or its position in a checkpoint."""
    setup.task.update_ema(0)
    if found.checkpoint is None:
        return Position(), Sums.zero(setup.accelerator.device)
    if found.parent is None:
        return load_checkpoint(found.checkpoint, setup)
    load_parent(found.checkpoint, setup)
    return Position(parent=asdict(found.parent)), Sums.zero(setup.accelerator.device)


def exported_kind(setup: Setup) -> str:
    """Return which weights are the run's result: raw or ema."""
    averaging = setup.options.averaging
    wanted = averaging.export_weights
    return wanted if wanted != "auto" else ("ema" if averaging.model_ema else "raw")


def evaluate_all(setup: Setup, watch: Watch) -> dict[str, Scores]:
    """Results of the raw weights and, with --model-ema, of their average; raises Stop for a signal."""
    if is_sharded(setup.model):  # only a pass through the whole task brings the parts together
        batches = watch.over(setup.evaluation)
        scores = evaluate(
            setup.wrapped, batches, setup.accelerator, setup.layout, setup.predict, setup.splits.task
        )
        return {"raw": scores}
    averaged = setup.options.averaging.model_ema
    models = {kind: model for kind, model in setup.models().items() if kind == "raw" or averaged}
    return {
        kind: evaluate(
            model, watch.over(setup.evaluation), setup.accelerator, setup.layout, task=setup.splits.task
        )
        for kind, model in models.items()
    }


def keep_best(setup: Setup, position: Position, results: dict[str, Scores], directory: Path) -> None:
    """Save the weights of the best epoch, before the epoch's checkpoint, so that a resumed run has them."""
    kind, task = exported_kind(setup), TASKS[setup.splits.task]
    if kind not in results:
        return
    value = results[kind].value(task.scores[0])
    if position.best is None or task.metric.improves(value - position.best):
        position.best, position.best_epoch = value, position.epoch
        facts = {"epoch": position.epoch, task.scores[0]: value}
        export_model(setup, kind, directory / "checkpoints" / "best", facts)


def finish(setup: Setup, position: Position, results: dict[str, Scores], directory: Path) -> dict[str, Any]:
    """Export the model, compare the processes, write the record and print where everything is."""
    accelerator, kind = setup.accelerator, exported_kind(setup)
    export_model(setup, kind, directory / "model")
    record = summarize(setup, position, results, kind, compare_ranks(setup.task, accelerator.num_processes))
    if accelerator.is_main_process:
        write_metrics(directory, position.rows)
        draw_curves(directory, position.rows, setup.splits.task)
        write_summary(directory, record)
        warn_at_chance(setup, record)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    if accelerator.is_main_process:
        logger.info(
            f"{result_text(record)} of {record.samples_evaluated} images; the run is in {directory}\n"
            f"load it with {how_to_load(setup.model, directory)}"
        )
    return record.to_dict()


def result_text(record: RunRecord) -> str:
    """Return a run's result in words."""
    metric = METRICS[record.metric]
    return f"{metric.label} {metric.format(record.result)}"


def warn_at_chance(setup: Setup, record: RunRecord) -> None:
    """Print advice if the model is no better than guessing."""
    if record.top1 is None:
        return
    labels = getattr(setup.splits.evaluation, "labels", None)
    share = share_of_largest_class(labels, record.classes)
    if is_at_chance(record.top1, record.samples_evaluated, share):
        logger.warning(what_to_try(record.top1, share, setup.options.optimization))
