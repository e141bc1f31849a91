"""Callbacks: code of the user's that a run calls, and that cannot change what the run computes."""

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
    """Where a run is, as a callback sees it; nothing in it belongs to the run.

    Args:
        epoch: finished epochs.
        epochs: all epochs of the run.
        step: finished optimizer updates.
        steps: all updates of the run.
        metrics: the last row of metrics.csv by column; empty before the first epoch has ended.
        directory: the run's.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    metrics: Mapping[str, float]
    directory: Path
    _model: nn.Module = field(repr=False)

    def copy_model(self) -> nn.Module:
        """A copy of the network with the weights as they are now, in eval mode."""
        return copy.deepcopy(self._model).eval()


class Callback:
    """Base class of callbacks: override what is needed.

    The main process calls the methods, in the order in which callbacks were given. A run with callbacks is
    the same, to the bit, as one without: they get copies, and the global generators of Python, NumPy and
    torch are put back to where they were. What a method raises ends the run, which can be resumed from its
    last checkpoint. A resumed run calls them for what is left of it; the call for an epoch is left out where
    the run was interrupted between that epoch's checkpoint and the call.

    Example:
        >>> class Print(Callback):
        ...     def on_epoch_end(self, state):
        ...         print(state.epoch, state.metrics["eval_top1"])
    """

    def on_step(self, state: TrainingState) -> None:
        """Called after every optimizer update."""

    def on_epoch_end(self, state: TrainingState) -> None:
        """Called after every epoch, when its row of metrics.csv and its checkpoint have been written."""


class Callbacks:
    """The callbacks of a run, called by its main process."""

    def __init__(self, setup: Setup, directory: Path, callbacks: Sequence[Callback]) -> None:
        self.setup, self.directory = setup, directory
        here = callbacks if setup.accelerator.is_main_process else ()
        self.on_step = [found.on_step for found in here if _overrides(found, "on_step")]
        self.on_epoch_end = [found.on_epoch_end for found in here if _overrides(found, "on_epoch_end")]

    def step(self, position: Position) -> None:
        """An update has been made."""
        self._call(self.on_step, position)

    def epoch_end(self, position: Position) -> None:
        """An epoch has been kept."""
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
    """Whether a callback, which need not be a `Callback`, has a method of its own of this name."""
    own = getattr(type(callback), name, None)
    return own is not None and own is not getattr(Callback, name)
