"""The Hub in a training run: all of it on the main process, none of it able to end the training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from timm_multimix.hub.publish import publish_run
from timm_multimix.hub.target import check_repo_id, check_token, open_repo
from timm_multimix.hub.upload import Uploader
from timm_multimix.options.publishing import HubOptions

from .position import Position
from .record import draw_curves
from .setup import Setup


def check_publishing(options: HubOptions) -> None:
    """Raises: UsageError for a bad --hub-model-id or where there is no token."""
    if options.target:
        check_repo_id(options.target)
        check_token()


def open_target(options: HubOptions) -> None:
    """Create the repository. Raises: UsageError if it cannot be written to."""
    if options.target:
        open_repo(options.target, options.hub_private)


def start_uploader(setup: Setup, run: Path) -> Uploader | None:
    """Uploads in the background, on the main process with --push-to-hub."""
    options = setup.options.hub
    if not (options.target and setup.accelerator.is_main_process):
        return None
    return Uploader(run, options.target, options.hub_tag_epochs)


def offer_best(
    uploader: Uploader | None,
    run: Path,
    position: Position,
    epochs: int,
    summary: Callable[[], dict[str, Any]],
) -> None:
    """Publish the weights of the epoch just ended if they are the best so far; the last are the result's."""
    if uploader is not None and position.best_epoch == position.epoch < epochs:
        draw_curves(run, position.rows)
        uploader.offer(summary(), position.epoch, position.best_top1)


def publish_finished(run: Path | None, options: HubOptions) -> None:
    """Finish the uploads of a run that was resumed when it had nothing left to train."""
    if options.target and run is not None:
        open_target(options)
        publish_run(run, options.target, options.hub_tag_epochs)
