"""Publishing during training: all of it on the main process, and no failure of it ends the training."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..errors import UsageError
from ..hub.publish import publish_run
from ..hub.target import open_repo
from ..hub.upload import Uploader
from ..options.publishing import HubOptions
from ..records.lock import RunLock
from ..records.schema import RunRecord
from ..records.tasks import CLASSIFICATION
from .export import architecture_of
from .record import draw_curves
from .setup import Setup
from .state import Position

logger = logging.getLogger(__name__)


def open_target(options: HubOptions, architecture: str | None) -> None:
    """Create the repository of a new run.

    Raises:
        UsageError: it cannot be written to, holds another model that is not to be overwritten, or the network
            is not one of timm's.
    """
    if options.target:
        if architecture is None:
            raise UsageError("--push-to-hub publishes only models of timm, which this network is not")
        open_repo(
            options.target,
            options.hub_private,
            architecture=architecture,
            overwrite=options.hub_overwrite,
        )


def start_uploader(setup: Setup, run: Path, resumed: bool) -> Uploader | None:
    """Start uploads in the background, on the main process with --push-to-hub.

    A resumed run's uploader creates the repository itself, since an unreachable Hub must not prevent
    training.
    """
    options = setup.options.hub
    if not (options.target and setup.accelerator.is_main_process):
        return None
    return Uploader(
        run,
        options.target,
        options.hub_tag_epochs,
        open_first=partial(open_target, options, architecture_of(setup.model)) if resumed else None,
        overwrite=options.hub_overwrite,
        timeout=options.hub_timeout,
    )


def offer_best(
    uploader: Uploader | None,
    run: Path,
    position: Position,
    epochs: int,
    record: Callable[[], RunRecord],
) -> None:
    """Publish the weights of this epoch if they are the best so far; the last are those of the result."""
    if uploader is not None and position.best is not None and position.best_epoch == position.epoch < epochs:
        found = record()
        draw_curves(run, position.rows, found.task or CLASSIFICATION)
        uploader.offer(found.to_dict(), position.epoch, position.best)


def publish_finished(run: Path | None, options: HubOptions, lock: RunLock) -> None:
    """Finish the uploads of a run that was finished before; a failure is a warning."""
    if not options.target or run is None:
        return
    lock.take(run)
    try:
        open_repo(options.target, options.hub_private)
        publish_run(
            run,
            options.target,
            options.hub_tag_epochs,
            overwrite=options.hub_overwrite,
            timeout=options.hub_timeout,
        )
    except UsageError as error:
        logger.warning(f"upload to {options.target}: {error}")
