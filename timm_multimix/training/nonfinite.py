"""Losses and gradients that are not finite: skipped if requested, else saved for inspection."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm

from ..data.given_loader import LoaderImages
from ..data.streaming import StreamedImages
from ..errors import UsageError
from ..files import fresh_directory, publish_directory, write_text
from .checkpoint import find_checkpoint
from .setup import Setup
from .sharding import whole
from .state import NonFinite, Position, Sums

ADVICE = (
    "try a smaller --lr, a longer --warmup-epochs or --clip-grad,"
    " and --skip-nonfinite N leaves up to N such updates out of each epoch"
)


def poison(loss: Tensor) -> Tensor:
    """Return the loss, with a gradient of nan if it is not finite: the exchange of gradients spreads it."""
    # An infinite loss may have finite gradients (of a clamp, say); times nan, no process can miss it.
    return loss * torch.where(loss.detach().isfinite(), 1.0, torch.nan)


@torch.no_grad()
def zero_nonfinite(parameters: list[nn.Parameter]) -> Tensor:
    """Set all gradients to zero if one is not finite, without waiting for the device; return whether so."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    largest = get_total_norm(gradients, float("inf"))
    if isinstance(largest, DTensor):
        largest = largest.full_tensor()
    bad = ~largest.isfinite()
    # masked_fill_ with a mask on the device: an `if` would synchronize, and 0 * nan is nan
    for gradient in gradients:
        mine = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        mine.masked_fill_(bad, 0.0)
    return bad


class KeptBuffers:
    """A copy of the buffers (BatchNorm statistics) before a batch, restored if its loss is not finite."""

    def __init__(self, model: nn.Module) -> None:
        self.buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self.before = [buffer.clone() for buffer in self.buffers]

    @torch.no_grad()
    def restore(self, loss: Tensor) -> None:
        """Restore them if the loss is not finite, without waiting for the device."""
        for buffer, before in zip(self.buffers, self.before, strict=True):
            buffer.copy_(torch.where(loss.isfinite(), buffer, before))


def check_finite_weights(setup: Setup) -> None:
    """Check the weights before they are saved, all processes together.

    Raises:
        NonFinite: one is not finite; the step is the last one made.
    """
    accelerator = setup.accelerator
    parts = (p.to_local() if isinstance(p, DTensor) else p for p in setup.model.parameters())
    good = torch.stack([part.detach().isfinite().all() for part in parts]).all()
    if not accelerator.gather(good.reshape(1)).all():
        raise NonFinite(setup.task.step - 1)


def keep_state(directory: Path, setup: Setup, position: Position, sums: Sums, step: int) -> UsageError:
    """Write `directory/nonfinite`, all processes together; return the error that names it.

    report.json: where it happened, and how to reproduce it; weights.safetensors: the model's present weights;
    rank-N.safetensors: this process's batch of that step, before mixing.
    """
    accelerator, target = setup.accelerator, directory / "nonfinite"
    epoch, batch = divmod(step, len(setup.train.batches))
    if accelerator.is_main_process:
        fresh_directory(target)
    accelerator.wait_for_everyone()
    temporary = target.with_name(f".tmp-new-{target.name}")
    images, tensors = batch_of(setup, epoch, batch)
    rank = f"rank-{accelerator.process_index:05d}"
    save_file(tensors, temporary / f"{rank}.safetensors")
    mine = {"loss": repr(float(sums.bad_loss)), "images": images}
    write_text(temporary / f"{rank}.json", json.dumps(mine, indent=1) + "\n")
    weights = {name: whole(value).contiguous() for name, value in setup.model.state_dict().items()}
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        save_file(weights, temporary / "weights.safetensors")
        report = describe(directory, setup, position, step)
        write_text(temporary / "report.json", json.dumps(report, indent=1) + "\n")
        publish_directory(temporary, target)
    where = f"training step {step} (epoch {epoch + 1}, batch {batch + 1} of {len(setup.train.batches)})"
    return UsageError(f"the loss is not finite at {where}; its state is in {target}; {ADVICE}")


def batch_of(setup: Setup, epoch: int, batch: int) -> tuple[list[str], dict[str, Tensor]]:
    """Names of a batch's images and its tensors: images [b, c, h, w] (except for a stream), labels [b]."""
    stream = setup.train
    stream.batches.set_epoch(epoch, batch)
    keys = next(iter(stream.batches))
    names = [stream.dataset.describe(key.index) for key in keys]
    indices = {"indices": torch.tensor([key.index for key in keys])}
    if isinstance(stream.dataset, StreamedImages | LoaderImages):  # which would read all that comes before
        return names, indices
    samples = stream.dataset.__getitems__(keys)
    labels = torch.tensor([sample[1] for sample in samples])
    return names, indices | {"images": torch.stack([sample[0] for sample in samples]), "labels": labels}


def describe(directory: Path, setup: Setup, position: Position, step: int) -> dict[str, Any]:
    """Return the content of report.json."""
    options, task = setup.options, setup.task
    epoch, batch = divmod(step, len(setup.train.batches))
    before = find_checkpoint(directory).checkpoint
    again = (
        f"--resume {before} --output NEW" if before else f"--config {directory / 'config.yaml'} --output NEW"
    )
    return {
        "epoch": epoch + 1,
        "batch": batch + 1,
        "training_step": step,
        "seed": options.run.seed,
        "mix": options.mixing.mix,
        "mixer": task.choose_step(step).name,
        "weights_are_after_updates": position.updates,
        "weights_are_after_training_step": task.step - 1,
        "learning_rates": sorted({group["lr"] for group in setup.optimizer.param_groups}),
        "num_processes": setup.accelerator.num_processes,
        "mixed_precision": setup.accelerator.mixed_precision,
        "to_see_it_again": f"timm-multimix train {again}, which repeats every step to the bit",
    }
