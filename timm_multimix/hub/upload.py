"""Background uploads during training; a failure is a warning, and the rest is uploaded later."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub.utils import disable_progress_bars
from huggingface_hub.utils import logging as hub_logging

from ..connection.retry import describe
from ..deadlines import joined, within
from ..options.publishing import HUB_TIMEOUT
from .publish import publish, stage_epoch, stage_result
from .stage import clear, drop_superseded, epoch_directory, result_directory, staged_epochs

logger = logging.getLogger(__name__)


class Uploader:
    """One thread that publishes what is staged, oldest first; what fails is tried again with the next.

    Args:
        run: the run's directory.
        repo_id: the repository.
        tag_epochs: whether every kept epoch is published, with a tag.
        open_first: makes the repository, where that is not done yet; as often as it fails.
        overwrite: whether to replace what others wrote in the repository.
        timeout: seconds after which an upload is given up, and the longest wait at the end.
    """

    def __init__(
        self,
        run: Path,
        repo_id: str,
        tag_epochs: bool = False,
        *,
        open_first: Callable[[], None] | None = None,
        overwrite: bool = False,
        timeout: float = HUB_TIMEOUT,
    ) -> None:
        self.run, self.repo_id, self.tag_epochs = run, repo_id, tag_epochs
        self._open_first, self._overwrite, self._timeout = open_first, overwrite, timeout
        self._lock, self._wake, self._ending = threading.Lock(), threading.Event(), False
        self._late = False  # nothing more is begun: the run has ended
        self._pending: list[Path] = staged_epochs(run)
        self._current: Path | None = None
        disable_progress_bars()
        if hub_logging.get_verbosity() == logging.WARNING:
            hub_logging.set_verbosity_error()  # the client's own retries are nobody's business
        self._thread = threading.Thread(target=self._work, name="upload", daemon=True)
        self._thread.start()
        self._wake.set()

    def offer(self, summary: dict[str, Any], epoch: int, value: float) -> None:
        """Publish the best weights so far, of this epoch, when the thread comes to it."""
        if (
            epoch_directory(self.run, epoch, self.tag_epochs) != self._current
        ):  # else a resumed run's, the same
            self._add(f"epoch {epoch}", lambda: stage_epoch(self.run, summary, epoch, value, self.tag_epochs))

    def finish(self) -> None:
        """Publish the result of the finished run, and wait for all that is left no longer than `timeout`."""
        staged = self._add(
            "the result", lambda: stage_result(self.run, result_directory(self.run, self.tag_epochs))
        )
        self._ending = True
        self._wake.set()
        in_time = joined(self._thread, self._timeout)
        if in_time and staged and not self._pending:
            return clear(self.run)
        if not in_time:
            self._late = True
            self._warn(f"not done within {self._timeout:g} seconds")
        self._warn(f"finish it with `timm-multimix push {self.run} {self.repo_id}`")

    def _add(self, what: str, make: Callable[[], Path]) -> bool:
        try:
            directory = make()
        except Exception as error:  # whatever it is, training goes on
            self._warn(f"{what} cannot be staged, {describe(error)}")
            return False
        with self._lock:
            self._pending = drop_superseded([*(f for f in self._pending if f != directory), directory])
        self._wake.set()
        return True

    def _take(self) -> Path | None:
        with self._lock:
            self._current = self._pending.pop(0) if self._pending and not self._late else None
            return self._current

    def _give_back(self, directory: Path) -> None:
        with self._lock:
            self._pending, self._current = drop_superseded([directory, *self._pending]), None

    def _work(self) -> None:
        ending = False
        while not ending:
            self._wake.wait()
            self._wake.clear()
            ending = self._ending  # before the last look at what is pending
            self._publish_pending()

    def _publish_pending(self) -> None:
        try:
            if self._open_first:
                within(self._timeout, self._open_first)
                self._open_first = None
        except Exception as error:
            return self._warn(describe(error))
        while directory := self._take():
            try:
                publish(self.repo_id, directory, overwrite=self._overwrite, timeout=self._timeout)
            except Exception as error:
                self._give_back(directory)
                return self._warn(f"{directory.name} is not there yet, {describe(error)}")

    def _warn(self, text: str) -> None:
        logger.warning(f"upload to {self.repo_id}: {text}")
