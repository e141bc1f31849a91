"""What an epoch of training adds up, on the device, so that no step waits for a number."""

from dataclasses import dataclass, fields

import torch
from accelerate import Accelerator

from timm_multimix.errors import UsageError

_NEVER = torch.iinfo(torch.int64).max


def exact(device: torch.device) -> torch.dtype:
    """The widest floats of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass
class Sums:
    """Running sums of one process over one epoch."""

    loss: torch.Tensor
    hits: torch.Tensor  # target mass on the predicted classes
    bad_step: torch.Tensor  # first step whose loss is not finite
    batches: int = 0
    rows: int = 0  # rows of targets
    images: int = 0

    @classmethod
    def zero(cls, device: torch.device) -> "Sums":
        """The start of an epoch."""
        number = torch.zeros((), dtype=exact(device), device=device)
        return cls(number, number.clone(), torch.full((), _NEVER, dtype=torch.int64, device=device))

    @torch.no_grad()
    def add(self, result: dict[str, torch.Tensor], images: int, step: int) -> None:
        """Count one step: output [r, c] trained towards target [r, c]."""
        loss, output, target = (result[name].detach() for name in ("loss", "output", "target"))
        self.loss = self.loss + loss.to(self.loss.dtype)
        self.hits = self.hits + target.gather(1, output.argmax(1, keepdim=True)).sum(dtype=self.hits.dtype)
        this_step = torch.full_like(self.bad_step, step)
        self.bad_step = torch.where(loss.isfinite(), self.bad_step, torch.minimum(self.bad_step, this_step))
        self.batches += 1
        self.rows += target.shape[0]
        self.images += images

    def read(self, accelerator: Accelerator) -> "Totals":
        """The numbers over all processes, to be called by all of them together.

        Raises:
            UsageError: if a loss was not finite.
        """
        first_bad = int(accelerator.gather(self.bad_step.reshape(1)).min())
        if first_bad != _NEVER:
            advice = "a smaller --lr, a longer --warmup-epochs or --clip-grad may help"
            raise UsageError(f"the loss is not finite at training step {first_bad}; {advice}")
        counts = [float(value) for value in (self.batches, self.rows, self.images)]
        mine = torch.stack([self.loss, self.hits, *self.loss.new_tensor(counts)])
        loss, hits, batches, rows, images = accelerator.reduce(mine, "sum").tolist()
        return Totals(loss / batches, 100 * hits / rows, int(images))

    def tensors(self) -> dict[str, torch.Tensor]:
        """All sums as tensors on the CPU."""
        return {item.name: torch.as_tensor(getattr(self, item.name)).cpu() for item in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor], device: torch.device) -> "Sums":
        """The sums that `tensors` gave."""
        loss, hits, bad_step = (tensors[name].to(device) for name in ("loss", "hits", "bad_step"))
        return cls(loss, hits, bad_step, *(int(tensors[name]) for name in ("batches", "rows", "images")))


@dataclass
class Totals:
    """Of an epoch so far: mean loss, per cent of target mass on the predicted classes, images seen."""

    loss: float
    top1_weighted: float
    images: int
