"""Guided mixers on two real processes: their passes disturb neither DDP's hooks nor its sums."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask
from timm_multimix import functional as F

pytestmark = pytest.mark.slow
SPECS = ["saliencymix(saliency='gradient')", "attentivemix(grid=4)", "puzzlemix", "tokenmix", "transmix"]


def network(spec):
    torch.manual_seed(0)
    if spec == "transmix":
        return small_vit()
    model = SmallNet()
    model.body = nn.Sequential(model.body, nn.BatchNorm2d(6))
    return model


def batch(rank, step):
    generator = torch.Generator().manual_seed(10 * rank + step)
    return torch.rand(4, 3, 8, 8, generator=generator), torch.randint(4, (4,), generator=generator)


def train(rank, port, directory):
    """Two micro-steps, the first without synchronisation, for every mixer."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    results = {}
    for spec in SPECS:
        task = MixTask(network(spec), spec).train()
        first = task.trainable_module.patch_embed if spec == "transmix" else task.trainable_module.stem
        seen, steps = [], []
        first.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0].detach().clone()))
        wrapped = DistributedDataParallel(task)
        for step in range(2):
            if step:
                out = wrapped(*batch(rank, step))
                out["loss"].backward()
            else:
                with wrapped.no_sync():
                    out = wrapped(*batch(rank, step))
                    out["loss"].backward()
            steps.append((seen[-1], out["target"].detach()))
        gradients = [p.grad for p in task.trainable_module.parameters()]
        results[spec] = {"steps": steps, "gradients": gradients}
    torch.save(results, directory / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(train, (port, directory), nprocs=2, start_method="spawn")
    return [torch.load(directory / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("spec", SPECS)
def test_gradients_are_the_mean_over_processes_of_the_mixed_batches(ranks, spec):
    """Mixed images and targets of each through a model of one process: sums over steps, mean of both."""
    expected = 0
    for rank in (0, 1):
        for mixed, targets in ranks[rank][spec]["steps"]:
            model = network(spec).train()
            F.soft_loss(model(mixed), targets).backward()
            expected = expected + torch.cat([p.grad.flatten() for p in model.parameters()]) / 2
    for rank in (0, 1):
        found = torch.cat([gradient.flatten() for gradient in ranks[rank][spec]["gradients"]])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_processes_mix_their_own_images(ranks, spec):
    for step in range(2):
        mixed = [ranks[rank][spec]["steps"][step][0] for rank in (0, 1)]
        assert not torch.equal(*mixed)
