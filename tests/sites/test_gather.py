"""multimix(gather=True) on two real processes against one process with the joined batch."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.randomness import draw_generator

SPEC = "multimix(n=40, p=1, gather=True)"


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 5))


def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(8, 3, 2, 2, generator=generator), torch.arange(8) % 5


def train_one_step(rank, port, directory):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    task = MixTask(network(), SPEC, distill=0.3, teacher="self").train()
    images, labels = (x[4 * rank : 4 * rank + 4] for x in batch())
    wrapped = DistributedDataParallel(task)
    out = wrapped(images, labels)
    out["loss"].backward()
    weights = F.multimix.draw(
        torch.zeros(8, 5), n=40, generator=draw_generator(0, 0, torch.device("cpu"))
    ).weights
    grads = [p.grad for p in task.trainable_module.parameters()]
    torch.save(
        {"loss": out["loss"].detach(), "rows": len(out["output"]), "weights": weights, "grads": grads},
        directory / f"{rank}.pt",
    )
    dist.destroy_process_group()


def test_equals_one_process_with_the_joined_batch(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(train_one_step, (port, tmp_path), nprocs=2, start_method="spawn")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    model, (images, labels) = network(), batch()
    logits = model(images)
    targets = 0.7 * F.soft_targets(labels, 5) + 0.3 * logits.detach().softmax(-1)
    weights = torch.cat([first["weights"], second["weights"]])
    assert not torch.equal(first["weights"], second["weights"])
    loss = F.multimix_loss(logits, targets, weights)
    loss.backward()
    torch.testing.assert_close((first["loss"] + second["loss"]) / 2, loss.detach())
    for ours, theirs, expected in zip(first["grads"], second["grads"], model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(ours, expected.grad)
    assert first["rows"] == second["rows"] == 4


def test_with_one_process_it_is_multimix():
    images, labels = batch()
    losses = [
        MixTask(network(), spec).train()(images, labels)["loss"] for spec in (SPEC, "multimix(n=40, p=1)")
    ]
    torch.testing.assert_close(*losses)


def test_only_at_the_embedding():
    with pytest.raises(UsageError, match="must be given with place='embedding'"):
        create_mixer("multimix(gather=True, place='positions')")
