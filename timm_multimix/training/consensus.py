"""Early ends of a run (signals, losses that are not finite), at a step that all processes agree on."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import cast

import torch
import torch.distributed as dist
from accelerate import Accelerator

from .evaluate import Batches
from .interrupt import Interrupt
from .state import NEVER, NonFinite, Sums

PATIENCE = timedelta(minutes=10)
"""Longest wait for a process that is alive but does not answer."""


class Stop(Exception):
    """A signal arrived, here or in another process."""


class Watch:
    """Checks for early ends, by all processes at the same points: updates, and batches of the evaluation."""

    def __init__(self, accelerator: Accelerator, interrupt: Interrupt) -> None:
        self.interrupt, self.consensus = interrupt, Consensus(accelerator)
        self.readback = Readback(accelerator.device)

    def look(self, sums: Sums | None = None) -> bool:
        """Return whether to stop for a signal.

        Raises:
            NonFinite: a loss was not finite; it has the number of the training step.
        """
        bad = self.readback(sums.bad_step) if sums else NEVER
        number, minus_bad = self.consensus.largest([self.interrupt.number, -bad])
        if minus_bad != -NEVER:
            raise NonFinite(-minus_bad)
        self.interrupt.number = self.interrupt.number or number
        return bool(number)

    def over(self, batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield the batches, as many on all processes; raises Stop after a batch with a signal."""
        for batch in batches:
            yield batch
            if self.look():
                raise Stop


class Consensus:
    """Numbers known to all processes, exchanged on the host without waiting for a device.

    On CPUs, where every step waits for all processes anyway, they are those of this call; on accelerators,
    where the host must not wait, those of the call before.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.group: dist.ProcessGroup | None = None
        if accelerator.num_processes > 1:
            # every process is in the group, so torch returns a group here, not its marker for outsiders
            self.group = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=PATIENCE))
        self.at_once = accelerator.device.type == "cpu"
        self._pending: tuple[torch.Tensor, dist.Work] | None = None

    def largest(self, values: Iterable[int]) -> list[int]:
        """Return the elementwise maximum of all processes' values."""
        mine = torch.tensor(list(values))
        if self.group is None:
            return mine.tolist()
        work = dist.all_reduce(mine, dist.ReduceOp.MAX, self.group, async_op=True)
        earlier, self._pending = self._pending, (mine, work)
        # One call late on accelerators: the host runs ahead of the device, and waiting for the slowest
        # process here would stop it. All processes are equally late, so they still act at the same step.
        numbers, work = (mine, work) if self.at_once or earlier is None else earlier
        work.wait()
        return numbers.tolist()


class Readback:
    """Non-blocking read of a device scalar: the newest value whose copy to the host has finished."""

    def __init__(self, device: torch.device) -> None:
        self.kind, self._known = device.type, NEVER
        self._copies: list[tuple[torch.Tensor, torch.cuda.Event]] = []

    def __call__(self, number: torch.Tensor) -> int:
        if self.kind == "cpu":
            return int(number)
        if self.kind == "cuda":  # elsewhere it is read with the other sums, at the next --log-interval
            self._send(number)
            while self._copies and self._copies[0][1].query():
                self._known = int(self._copies.pop(0)[0])
        return self._known

    def _send(self, number: torch.Tensor) -> None:
        copy = torch.empty((), dtype=number.dtype, pin_memory=True).copy_(number, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._copies.append((copy, event))
