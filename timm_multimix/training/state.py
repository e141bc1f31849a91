"""The state of a run between two updates: its position, and per-epoch totals.

The totals stay on the device, so that training steps never synchronize.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from accelerate import Accelerator

from ..errors import UsageError

NEVER = torch.iinfo(torch.int64).max
"""The step at which nothing happened."""


class NonFinite(UsageError):
    """The loss, or too many gradients, were not finite; `step` is the number of the training step."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite at training step {step}")
        self.step = step


def exact(device: torch.device) -> torch.dtype:
    """Return the widest floating dtype of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass
class Position:
    """A point between two optimizer updates."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches of the current epoch done
    updates: int = 0
    seconds: float = 0.0  # spent training in the current epoch
    best: float | None = None  # the metric of the best epoch
    best_epoch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)  # of metrics.csv
    parent: dict[str, Any] | None = None  # the fields of a `ParentRecord`


@dataclass
class Sums:
    """Running sums of one process over one epoch."""

    loss: torch.Tensor
    hits: torch.Tensor  # target mass on the predicted classes
    bad_step: torch.Tensor  # first step that ends the run
    bad_loss: torch.Tensor  # the last loss that is not finite
    counted: torch.Tensor  # batches whose loss is finite
    left_out: torch.Tensor  # updates without effect, as the gradient is not finite
    rows: int = 0  # rows of targets
    images: int = 0

    @classmethod
    def zero(cls, device: torch.device) -> "Sums":
        """Return the sums at the start of an epoch."""
        number = torch.zeros((), dtype=exact(device), device=device)
        never = torch.full((), NEVER, dtype=torch.int64, device=device)
        return cls(number, number.clone(), never, number.clone(), number.clone(), number.clone())

    @torch.no_grad()
    def add(self, result: dict[str, torch.Tensor], images: int, step: int, fatal: bool = True) -> None:
        """Count one step with output [r, c] and target [r, c].

        fatal: whether a loss that is not finite ends the run; it is left out of the mean either way.
        """
        loss, output, target = (result[name].detach() for name in ("loss", "output", "target"))
        loss, finite = loss.to(self.loss.dtype), loss.isfinite()
        self.loss = self.loss + loss.where(finite, 0.0)
        self.counted = self.counted + finite
        self.bad_loss = torch.where(finite, self.bad_loss, loss)
        # The target's mass on the predicted class: a mixed example has no single right class to compare with.
        self.hits = self.hits + target.gather(1, output.argmax(1, keepdim=True)).sum(dtype=self.hits.dtype)
        if fatal:
            self._end_at(step, ~finite)
        self.rows += target.shape[0]
        self.images += images

    def leave_out(self, without_effect: torch.Tensor, step: int, limit: int | None) -> None:
        """Count an update without effect; more of them than the limit end the run."""
        self.left_out = self.left_out + without_effect
        if limit is not None:
            self._end_at(step, self.left_out > limit)

    def _end_at(self, step: int, where: torch.Tensor) -> None:
        this_step = torch.full_like(self.bad_step, step)
        self.bad_step = torch.where(where, torch.minimum(self.bad_step, this_step), self.bad_step)

    def check(self, accelerator: Accelerator) -> None:
        """Check all processes' sums; all of them call it together.

        Raises:
            NonFinite: the run must end.
        """
        first_bad = int(accelerator.gather(self.bad_step.reshape(1)).min())
        if first_bad != NEVER:
            raise NonFinite(first_bad)

    def read(self, accelerator: Accelerator) -> "Totals":
        """Return the totals over all processes; all of them call it together.

        Raises:
            NonFinite: the run must end.
        """
        self.check(accelerator)
        counts = [float(value) for value in (self.rows, self.images)]
        mine = torch.stack([self.loss, self.counted, self.hits, self.left_out, *self.loss.new_tensor(counts)])
        loss, counted, hits, left_out, rows, images = accelerator.reduce(mine, "sum").tolist()
        left_out /= accelerator.num_processes  # each of which has counted all
        mean = loss / counted if counted else math.nan
        share = 100 * hits / rows if rows else math.nan  # of an epoch whose steps were all left out
        return Totals(mean, share, int(images), round(left_out))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all sums as tensors on the CPU."""
        return {item.name: torch.as_tensor(getattr(self, item.name)).cpu() for item in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor], device: torch.device) -> "Sums":
        """Restore the result of `tensors`."""
        counts = {name: int(tensors[name]) for name in ("rows", "images")}
        rest = {name: value.to(device) for name, value in tensors.items() if name not in counts}
        return cls(**rest, **counts)  # type: ignore[arg-type]


@dataclass
class Totals:
    """Totals of an epoch so far: mean loss, per cent of target mass on the predicted classes, images seen."""

    loss: float
    top1_weighted: float
    images: int
    left_out: int  # updates without effect
