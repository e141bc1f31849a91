"""What a person sees while a model trains: a bar on a terminal, and a line for every epoch."""

import sys
import time
from datetime import timedelta
from typing import Any

from tqdm import tqdm

from .position import Position
from .setup import Setup
from .sums import Sums, Totals


class Progress:
    """Speaks on the main process only; reads numbers off the device every --log-interval batches."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.batches = setup, len(setup.train.batches)
        self.speaks = setup.accelerator.is_main_process
        self.bar: tqdm[Any] | None = None
        self.started, self.done = time.perf_counter(), 0

    def begin(self, position: Position) -> None:
        """Start the bar of an epoch."""
        if self.speaks and sys.stderr.isatty():
            label = f"epoch {position.epoch + 1}/{self.setup.epochs}"
            self.bar = tqdm(total=self.batches, initial=position.batch, desc=label, leave=False, unit="batch")

    def step(self, position: Position, sums: Sums, batch: int) -> None:
        """Count a batch; at the interval all processes add up, which ends the run if a loss is not finite."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        if batch % self.setup.options.log_interval == 0:
            totals = sums.read(self.setup.accelerator)
            self.setup.accelerator.log({"train/loss": totals.loss}, step=position.updates)
            if self.bar is not None:
                self.bar.set_postfix_str(self._describe(totals, position.epoch * self.batches + batch))

    def end(self, position: Position, totals: Totals, row: dict[str, Any]) -> None:
        """Put a line in the place of the bar: the epoch's row of metrics.csv, in words."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.speaks:
            right = f"eval top1 {row['eval_top1']:.2f} %" + (
                f", ema {row['ema_top1']:.2f} %" if "ema_top1" in row else ""
            )
            told = f"{self._describe(totals, position.epoch * self.batches)}, {right}"
            print(f"epoch {position.epoch}/{self.setup.epochs}: {told}", flush=True)

    def _describe(self, totals: Totals, batches_done: int) -> str:
        elapsed = time.perf_counter() - self.started
        left = (self.setup.epochs * self.batches - batches_done) * elapsed / self.done
        speed = self.done * self.setup.options.batch_size * self.setup.accelerator.num_processes / elapsed
        return (
            f"loss {totals.loss:.4f}, weighted top1 {totals.top1_weighted:.2f} %, {speed:.0f} images/s,"
            f" {timedelta(seconds=round(left))} left"
        )
