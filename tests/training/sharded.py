"""Training with weights sharded as by FSDP 2, which accelerate offers on accelerators only."""

import sys
from typing import Any

import torch
from accelerate import Accelerator
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from timm_multimix.cli import main


def prepare(accelerator: Accelerator, task: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    """Shard a task, and give the shards to the optimizer."""
    before = {parameter: name for name, parameter in task.named_parameters()}
    fully_shard(task)
    after = dict(task.named_parameters())
    assert all(isinstance(parameter, DTensor) for parameter in after.values())
    for group in optimizer.param_groups:
        group["params"] = [after[before[parameter]] for parameter in group["params"]]
    return task, accelerator.prepare_optimizer(optimizer)


if __name__ == "__main__":
    Accelerator.prepare = prepare
    sys.exit(main(["train", *sys.argv[1:]]))
