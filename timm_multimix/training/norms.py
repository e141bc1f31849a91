"""BatchNorm with the statistics of all processes."""

from accelerate import Accelerator
from timm.layers import convert_sync_batchnorm
from torch import nn

from ..errors import UsageError
from ..options.model import ModelOptions


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
