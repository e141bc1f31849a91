"""BatchNorm whose statistics are those of all processes."""

from accelerate import Accelerator
from timm.layers import convert_sync_batchnorm
from torch import nn

from ..errors import UsageError
from ..options.model import ModelOptions


def share_norms(model: nn.Module, network: ModelOptions, accelerator: Accelerator) -> nn.Module:
    """The model, with --sync-bn its BatchNorms as torch's SyncBatchNorm; weights and their names stay.

    Raises:
        UsageError: on devices that torch has no SyncBatchNorm for.
    """
    if not network.sync_bn:
        return model
    if accelerator.device.type not in ("cuda", "xpu"):
        raise UsageError(
            f"--sync-bn needs GPUs; torch synchronises no BatchNorm on {accelerator.device.type}"
        )
    converted: nn.Module = convert_sync_batchnorm(model)
    return converted
