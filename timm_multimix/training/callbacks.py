"""Callbacks: user code that a run calls, without influence on what the run computes."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from ..data.random_states import random_states_kept
from .setup import Setup
from .state import Position


@dataclass(frozen=True)
class TrainingState:
    """The state of a run for a callback; changing it does not change the run.

    Args:
        epoch: finished epochs.
        epochs: all epochs of the run.
        step: finished optimizer updates.
        steps: all updates of the run.
        metrics: the last row of metrics.csv by column; empty before the end of the first epoch.
        directory: the run's directory.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    metrics: Mapping[str, float]
    directory: Path
    _model: nn.Module = field(repr=False)

    def copy_model(self) -> nn.Module:
        """Return a copy of the network with its present weights, in eval mode."""
        return copy.deepcopy(self._model).eval()


class Callback:
    """Base class of callbacks: override the methods you need.

    The main process calls the methods, in the order in which callbacks were given. A run with callbacks is
    bitwise the same as one without: they get copies, and the global generators of Python, NumPy and torch are
    restored afterwards. An exception in a method ends the run, which can be resumed from its last checkpoint.
    After a resume, callbacks are called for the rest of the run; the call for an epoch is lost if the run was
    interrupted between that epoch's checkpoint and the call.

    Examples:
        >>> class Print(Callback):
        ...     def on_epoch_end(self, state):
        ...         print(state.epoch, state.metrics["eval_top1"])
    """

    def on_step(self, state: TrainingState) -> None:
        """Run after every optimizer update.

        Args:
            state: the state of the run.
        """

    def on_epoch_end(self, state: TrainingState) -> None:
        """Run after every epoch, when its row of metrics.csv and its checkpoint have been written.

        Args:
            state: the state of the run.
        """


class Callbacks:
    """The callbacks of a run, called in its main process."""

    def __init__(self, setup: Setup, directory: Path, callbacks: Sequence[Callback]) -> None:
        self.setup, self.directory = setup, directory
        here = callbacks if setup.accelerator.is_main_process else ()
        self.on_step = [found.on_step for found in here if _overrides(found, "on_step")]
        self.on_epoch_end = [found.on_epoch_end for found in here if _overrides(found, "on_epoch_end")]

    def step(self, position: Position) -> None:
        """Call the callbacks after an update."""
        self._call(self.on_step, position)

    def epoch_end(self, position: Position) -> None:
        """Call the callbacks after an epoch whose results have been written."""
        self._call(self.on_epoch_end, position)

    def _call(self, methods: Sequence[Callable[[TrainingState], Any]], position: Position) -> None:
        if not methods:
            return
        state = self._state(position)
        for method in methods:
            with random_states_kept():
                method(state)

    def _state(self, position: Position) -> TrainingState:
        updates = self.setup.train.updates(self.setup.options.optimization.grad_accum_steps)
        metrics = MappingProxyType(dict(position.rows[-1]) if position.rows else {})
        epochs = self.setup.epochs
        return TrainingState(
            position.epoch,
            epochs,
            position.updates,
            epochs * updates,
            metrics,
            self.directory,
            self.setup.model,
        )


def _overrides(callback: Callback, name: str) -> bool:
    """Return whether a callback, which need not be a `Callback`, has its own method of this name."""
    own = getattr(type(callback), name, None)
    return own is not None and own is not getattr(Callback, name)
