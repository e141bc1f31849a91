"""The progress of training: a bar on a terminal, else lines; both are written to train.log and trackers."""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from tqdm import tqdm

from ..logs import TO_FILE
from ..records.tasks import CLASSIFICATION, TASKS
from .setup import Setup
from .state import Position, Sums, Totals

logger = logging.getLogger(__name__)
_BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
_NARROWEST = 10  # columns of the bar itself


class Progress:
    """Shows progress on the main process; reads numbers off the device every --log-interval batches."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.batches = setup, len(setup.train.batches)
        self.speaks = setup.accelerator.is_main_process
        self.on_terminal = self.speaks and sys.stderr.isatty()
        self.bar: tqdm[Any] | None = None
        self.started, self.done = time.perf_counter(), 0
        self.began, self.first = self.started, 0
        self.told: list[str] = []

    @contextmanager
    def show(self, position: Position) -> Iterator[None]:
        """Show the bar of an epoch, or of the rest of one."""
        self.began, self.first = time.perf_counter(), position.batch
        with tqdm(
            total=self.batches,
            initial=position.batch,
            desc=self._epoch(position.epoch + 1),
            leave=False,
            disable=not self.on_terminal,
            dynamic_ncols=True,
            bar_format=_BAR,
        ) as self.bar:
            self._refresh()
            yield
        self.bar = None

    def tracks(self, first: int, last: int) -> bool:
        """Return whether trackers get one of the batches `first` + 1 to `last` of an epoch."""
        interval = self.setup.options.run.log_interval
        return bool(self.setup.options.run.log_with) and last // interval > first // interval

    def track_gradient(self, position: Position, norm: torch.Tensor | None) -> None:
        """Send the norm of an update's gradient to trackers, if it was measured."""
        if norm is not None:
            self.setup.accelerator.log({"train/gradient_norm": norm.item()}, step=position.updates)

    def step(self, position: Position, sums: Sums, batch: int, loss: torch.Tensor | None = None) -> None:
        """Count a batch; at the interval all processes add up, which ends the run if a loss is not finite."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        if batch % self.setup.options.run.log_interval == 0:
            totals = sums.read(self.setup.accelerator)
            self._track(position, totals, loss)
            seconds, processes = time.perf_counter() - self.began, self.setup.accelerator.num_processes
            size = self.setup.options.data.loading.batch_size
            speed = (batch - self.first) * size * processes / seconds
            self.told = self._describe(totals, speed, position.epoch * self.batches + batch)
            self._refresh()
            if self.speaks and batch < self.batches:  # the epoch has a line of its own
                head = f"{self._epoch(position.epoch + 1)}, batch {batch}/{self.batches}"
                (TO_FILE if self.on_terminal else logger).info(f"{head}: {', '.join(self.told)}")

    def _track(self, position: Position, totals: Totals, loss: torch.Tensor | None) -> None:
        """Send the mean loss of the epoch so far, the step's own, and the learning rate to trackers."""
        accelerator = self.setup.accelerator
        if not self.setup.options.run.log_with:  # which all processes know, as `reduce` needs all of them
            return
        rate = max(group["lr"] for group in self.setup.optimizer.param_groups)
        values = {"train/loss": totals.loss, "train/lr": rate}
        if loss is not None:  # on no process where the mix leaves the step out
            values["train/step_loss"] = accelerator.reduce(loss.float(), "mean").item()
        accelerator.log(values, step=position.updates)

    def end(self, position: Position, totals: Totals, row: dict[str, Any]) -> None:
        """Replace the bar by a line: the row of metrics.csv, in words."""
        if self.speaks:
            self.told = self._describe(totals, row["images_per_second"], position.epoch * self.batches)
            task = TASKS[self.setup.splits.task]
            names = {f"{kind}_{task.scores[0]}": f"{kind} {task.scores[0]}" for kind in ("eval", "ema")}
            scores = [f"{name} {task.metric.format(row[key])}" for key, name in names.items() if key in row]
            logger.info(f"{self._epoch(position.epoch)}: {', '.join([*self.told, *scores])}")

    def _epoch(self, number: int) -> str:
        return f"epoch {number}/{self.setup.epochs}"

    def _describe(self, totals: Totals, speed: float, batches: int) -> list[str]:
        elapsed = time.perf_counter() - self.started
        left = (self.setup.epochs * self.batches - batches) * elapsed / max(1, self.done)
        classes = self.setup.splits.task == CLASSIFICATION
        return [
            f"loss {totals.loss:.4f}",
            *([f"weighted top1 {totals.top1_weighted:.2f} %"] if classes else []),
            f"{speed:.0f} images/s",
            f"{timedelta(seconds=round(left))} left",
        ]

    def _refresh(self) -> None:
        """Write as much next to the bar as there is room for."""
        if self.bar is not None and not self.bar.disable:
            count = len(f" 100%|| {self.batches}/{self.batches}")
            room = (self.bar.ncols or 80) - len(self.bar.desc) - count - _NARROWEST
            self.bar.set_postfix_str(fitting(self.told, room))


def fitting(parts: Sequence[str], room: int) -> str:
    """Join as many of the parts, from the first on, as fit into so many columns, with commas."""
    while parts and sum(len(part) + len(", ") for part in parts) > room:
        parts = parts[:-1]
    return ", ".join(parts)
