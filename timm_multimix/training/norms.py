"""BatchNorm in training: statistics of all processes, and batches of one image that it cannot train on."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import UsageError
from ..options.model import ModelOptions
from ..sites.frozen_norm import recorded_inputs
from .finetune import still_frozen
from .loaders import Stream


def share_norms(model: nn.Module, network: ModelOptions, accelerator: Accelerator) -> nn.Module:
    """Return the model, with --sync-bn its BatchNorms as torch's SyncBatchNorm; weights keep their names.

    Raises:
        UsageError: on devices for which torch has no SyncBatchNorm.
    """
    if not network.sync_bn:
        return model
    if accelerator.device.type not in ("cuda", "xpu"):
        raise UsageError(
            f"--sync-bn needs GPUs; torch synchronises no BatchNorm on {accelerator.device.type}"
        )
    converted: nn.Module = convert_sync_batchnorm(model)
    return converted


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
    model.train()
    if frozen_body:
        still_frozen(model)
    norms = [each for each in model.named_modules() if isinstance(each[1], _BatchNorm)]
    learning: dict[nn.Module, str] = {module: name for name, module in norms if module.training}
    model.eval()
    with recorded_inputs(learning) as calls:
        model(torch.zeros(1, *input_size))
    model.train()
    return next((learning[norm] for norm, x in calls if x.numel() == x.shape[1]), None)
