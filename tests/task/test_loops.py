"""MixTask in other people's loops: a few lines, timm's trainer, checkpoints, copies."""

import copy

import torch
from timm.data import Mixup
from timm.optim import create_optimizer_v2
from torch import nn

from tests.networks import newer_timm
from tests.task.tasks import LABELS, images, model
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F


def test_three_lines_in_a_loop_learn():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 3))
    x, y = torch.randn(64, 3, 2, 2), torch.arange(64) % 3
    x += y.view(-1, 1, 1, 1).float()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    task = MixTask(network, mix="multimix(m=2, p=1)")
    for _ in range(60):
        loss = task(x, y)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network(x).argmax(1) == y).float().mean() > 0.9


@newer_timm
def test_a_loop_that_uses_timms_tasks():
    """The calls that timm's training script makes of a task, in its order."""
    network = model()
    task = MixTask(network, "multimix", distill=0.5, device=torch.device("cpu"))
    task.setup_ema(decay=0.9)
    optimizer = create_optimizer_v2(task.get_trainable_module(), opt="sgd", lr=0.01)
    task.train()
    for update in range(3):
        with task.no_sync():
            result = task(images(seed=update), LABELS)
        result["loss"].backward()
        nn.utils.clip_grad_norm_(task.get_clip_parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        task.update_ema(step=update)
    state, average = task.get_checkpoint_state(), task.get_checkpoint_state(ema=True)
    assert list(state["state_dict"]) == list(average["state_dict_ema"]) == list(network.state_dict())
    fresh = MixTask(model(seed=5), "multimix")
    fresh.load_checkpoint_state(state["state_dict"])
    torch.testing.assert_close(
        fresh.eval()(images(), LABELS)["output"], task.eval()(images(), LABELS)["output"]
    )


def test_the_drop_in_does_what_timms_mixup_does():
    """Given timm's lambda and its partners (the flipped batch), the two agree."""
    timms = Mixup(mixup_alpha=1.0, label_smoothing=0.1, num_classes=5)
    ours = F.Pairs(torch.tensor([0.25]), torch.arange(5, -1, -1))
    timms._params_per_batch = lambda: (0.25, False)
    mixed, targets = timms(images().clone(), LABELS)
    torch.testing.assert_close(ours(images()), mixed)
    torch.testing.assert_close(ours.targets(F.soft_targets(LABELS, 5, 0.1)), targets)


def test_copies_and_reuse():
    mixer = create_mixer("multimix(m=2)")
    task = MixTask(model(), mixer).train()
    assert task.mixture is mixer
    task(images(), LABELS)
    twin = copy.deepcopy(task)
    assert twin.step == 1
    assert twin(images(), LABELS)["loss"].item() == task(images(), LABELS)["loss"].item()


@newer_timm
def test_timms_checkpoints_keep_the_step():
    task = MixTask(model(), "mixup").train()
    for _ in range(3):
        task(images(), LABELS)
    state = task.get_checkpoint_state()
    fresh = MixTask(model(seed=4), "mixup").train()
    fresh.load_checkpoint_state(state["state_dict"], state["task_state"])
    assert fresh.step == 3
    assert torch.equal(fresh(images(), LABELS)["loss"], task(images(), LABELS)["loss"])
