"""What a person sees while a model trains: a bar on a terminal, and a line for every epoch."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from tqdm import tqdm

from .setup import Setup
from .state import Position, Sums, Totals

logger = logging.getLogger(__name__)


class Progress:
    """Speaks on the main process only; reads numbers off the device every --log-interval batches."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.batches = setup, len(setup.train.batches)
        self.speaks = setup.accelerator.is_main_process
        self.bar: tqdm[Any] | None = None
        self.started, self.done = time.perf_counter(), 0
        self.began, self.first = self.started, 0
        self.told = ""

    @contextmanager
    def show(self, position: Position) -> Iterator[None]:
        """Show the bar of an epoch, or of the rest of one."""
        self.began, self.first = time.perf_counter(), position.batch
        label = f"epoch {position.epoch + 1}/{self.setup.epochs}"
        silent = not (self.speaks and sys.stderr.isatty())
        with tqdm(
            total=self.batches, initial=position.batch, desc=label, leave=False, disable=silent
        ) as self.bar:
            self.bar.set_postfix_str(self.told)
            yield
        self.bar = None

    def step(self, position: Position, sums: Sums, batch: int) -> None:
        """Count a batch; at the interval all processes add up, which ends the run if a loss is not finite."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        if batch % self.setup.options.run.log_interval == 0:
            totals = sums.read(self.setup.accelerator)
            self.setup.accelerator.log({"train/loss": totals.loss}, step=position.updates)
            if self.bar is not None:
                seconds, processes = time.perf_counter() - self.began, self.setup.accelerator.num_processes
                size = self.setup.options.data.loading.batch_size
                speed = (batch - self.first) * size * processes / seconds
                self.told = self._describe(totals, speed, position.epoch * self.batches + batch)
                self.bar.set_postfix_str(self.told)

    def end(self, position: Position, totals: Totals, row: dict[str, Any]) -> None:
        """Put a line in the place of the bar: the row of metrics.csv, in words."""
        if self.speaks:
            self.told = self._describe(totals, row["images_per_second"], position.epoch * self.batches)
            names = {"eval_top1": "eval top1", "ema_top1": "ema top1"}
            right = [f"{name} {row[key]:.2f} %" for key, name in names.items() if key in row]
            logger.info(f"epoch {position.epoch}/{self.setup.epochs}: {', '.join([self.told, *right])}")

    def _describe(self, totals: Totals, speed: float, batches: int) -> str:
        elapsed = time.perf_counter() - self.started
        left = (self.setup.epochs * self.batches - batches) * elapsed / max(1, self.done)
        return (
            f"loss {totals.loss:.4f}, weighted top1 {totals.top1_weighted:.2f} %, {speed:.0f} images/s,"
            f" {timedelta(seconds=round(left))} left"
        )
