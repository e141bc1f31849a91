"""Check of training batches of one image, in which a BatchNorm may have nothing to average over."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import UsageError
from .finetune import still_frozen
from .loaders import Stream


def check_lone_images(
    model: nn.Module,
    model_name: str,
    input_size: Sequence[int],
    train: Stream,
    *,
    batch_size: int,
    frozen_body: bool,
    processes: int,
) -> None:
    """Find a BatchNorm that would see a single value per channel.

    An incomplete last batch is left out of training, so a batch of one image comes from --batch-size 1, or is
    the only one of its process.

    Args:
        model: the network.
        model_name: its name.
        input_size: of an image, (channels, height, width).
        train: the training batches.
        batch_size: the requested number of images in a batch.
        frozen_body: whether only the classifier is trained.
        processes: the number of processes.

    Raises:
        UsageError: there is one, and training batches have one image.
    """
    if train.batch_size > 1:
        return
    name = find_lone_norm(model, tuple(input_size), frozen_body)
    if name is None:
        return
    reason = f"{name} of {model_name}, a BatchNorm, has one value per channel and cannot train on that"
    if batch_size == 1:
        raise UsageError(
            f"--batch-size 1: {reason}; give --batch-size 2 or more, or a model without BatchNorm"
        )
    raise UsageError(
        f"the only batch of an epoch has 1 image, as {len(train.dataset)} training images are dealt to "
        f"{processes} processes: {reason}; add images or use fewer processes"
    )


@torch.no_grad()
def find_lone_norm(model: nn.Module, input_size: tuple[int, ...], frozen_body: bool = False) -> str | None:
    """Return the name of a BatchNorm in training that gets one value per channel for one image."""
    found: list[str] = []
    model.train()
    if frozen_body:
        still_frozen(model)
    norms = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    learning = {name: module for name, module in norms.items() if module.training}

    def look(name: str, images: torch.Tensor) -> None:
        if images.numel() == images.shape[1]:
            found.append(name)

    handles = [
        module.register_forward_pre_hook(lambda _, args, name=name: look(name, args[0]))
        for name, module in learning.items()
    ]
    model.eval()
    try:
        model(torch.zeros(1, *input_size))
    finally:
        for handle in handles:
            handle.remove()
        model.train()
    return found[0] if found else None
