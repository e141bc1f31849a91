"""The Hub in a training run: all of it on the main process, none of it able to end the training."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from timm_multimix.hub.publish import publish_run
from timm_multimix.hub.target import check_repo_id, check_token, open_repo
from timm_multimix.hub.upload import Uploader
from timm_multimix.records import RunRecord
from timm_multimix.records.lock import RunLock

from .position import Position
from .record import draw_curves
from .setup import Setup


def check_publishing(options: Namespace) -> None:
    """Raises: UsageError for a bad --hub-model-id or where there is no token."""
    if options.push_to_hub:
        check_repo_id(options.hub_model_id)
        check_token()


def open_target(options: Namespace) -> None:
    """Create the repository. Raises: UsageError if it cannot be written to."""
    if options.push_to_hub:
        open_repo(options.hub_model_id, options.hub_private)


def start_uploader(setup: Setup, run: Path) -> Uploader | None:
    """Uploads in the background, on the main process with --push-to-hub."""
    if not (setup.options.push_to_hub and setup.accelerator.is_main_process):
        return None
    return Uploader(run, setup.options.hub_model_id, setup.options.hub_tag_epochs)


def offer_best(
    uploader: Uploader | None,
    run: Path,
    position: Position,
    epochs: int,
    record: Callable[[], RunRecord],
) -> None:
    """Publish the weights of the epoch just ended if they are the best so far; the last are the result's."""
    if uploader is not None and position.best_epoch == position.epoch < epochs:
        draw_curves(run, position.rows)
        uploader.offer(record().to_dict(), position.epoch, position.best_top1)


def publish_finished(run: Path | None, options: Namespace, lock: RunLock) -> None:
    """Finish the uploads of a run that was resumed when it had nothing left to train."""
    if options.push_to_hub and run is not None:
        lock.take(run)
        open_target(options)
        publish_run(run, options.hub_model_id, options.hub_tag_epochs)
