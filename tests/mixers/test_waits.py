"""A training step never waits for the device: on a simulated one, and on a GPU if there is one.

A simulated tensor has a shape, a type and a device, but no values: reading one, by `.item()` or an operation
whose shape depends on values, raises.
"""

import pytest
import timm
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from timm_multimix import MixTask, create_mixer, list_mixers
from timm_multimix.mixers import Mixture
from timm_multimix.mixers.registry import build

simulated = pytest.mark.skipif(torch.version.cuda is None, reason="this torch knows no GPU to simulate")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def is_free(name):
    """Whether the mixer needs neither a gradient, which cannot be simulated, nor attention, nor a solver."""
    mixer = build(name)[0][1].mixer
    return not ({"gradient", "received"} & set(mixer.guides) or mixer.complete or mixer.solver)


NAMES = [name for name in list_mixers() if name != "per_sample" and is_free(name)]
SPECS = [*NAMES, "per_sample(mixup | cutmix)", "mixup(alpha=0.2, per_sample=True)", "cutmix(alpha=0.2)"]
SPECS += ["multimix(m=4, clean=0.5)", "multimix(m=40)", "dense_multimix(shared=True)"]


@pytest.fixture
def _simulated_generators(monkeypatch):
    """A generator on the device cannot be simulated as torch's own can, so that one stands in."""
    for module in ("timm_multimix.task", "timm_multimix.mixers.mixture"):
        monkeypatch.setattr(f"{module}.draw_generator", lambda seed, step, device: None)


def chosen(spec):
    """The mixer of a spec, and its layer, as the host chooses them."""
    return create_mixer(spec).branches[0][1].choose(torch.Generator().manual_seed(1))


@simulated
@pytest.mark.usefixtures("_simulated_generators")
@pytest.mark.parametrize("criterion", ["softmax", "sigmoid"])
@pytest.mark.parametrize("spec", SPECS)
def test_nothing_is_read_from_a_simulated_device(spec, criterion, monkeypatch):
    mixer = chosen(spec)
    monkeypatch.setattr(MixTask, "choose_step", lambda self, step: mixer)
    with FakeTensorMode():
        with torch.device("cuda"):
            task = MixTask(timm.create_model("test_resnet", num_classes=5), spec, criterion=criterion).train()
            images, labels = torch.rand(48, 3, 96, 96), torch.randint(5, (48,))
        # What is looked up once, such as what follows the embedding and what the labels are, may wait.
        task.student._probed = task._first_checked = True
        out = task(images, labels)
    assert out["loss"].device.type == "cuda"
    assert out["output"].shape == out["target"].shape


@simulated
@pytest.mark.usefixtures("_simulated_generators")
@pytest.mark.parametrize("spec", ["mixup", "cutmix", "mixup | cutmix", "multimix(m=2, place='input', p=1)"])
def test_nothing_is_read_in_the_place_of_timms_mixup(spec, monkeypatch):
    mixer = chosen(spec)
    monkeypatch.setattr(Mixture, "choose", lambda self, generator: mixer)
    with FakeTensorMode(), torch.device("cuda"):
        mixture = create_mixer(spec, num_classes=10)
        mixture.step = 1  # the first call alone looks at what the labels are
        mixed, soft = mixture(torch.rand(6, 3, 8, 8), torch.randint(10, (6,)))
    assert mixed.device.type == soft.device.type == "cuda"
    assert len(mixed) == len(soft)


@simulated
def test_the_simulation_notices_a_reading():
    with FakeTensorMode(), torch.device("cuda"), pytest.raises(DataDependentOutputException):
        torch.rand(1).item()


@on_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("distill", [0.0, 0.5])
@pytest.mark.parametrize("spec", SPECS)
def test_a_gpu_is_never_waited_for(spec, distill):
    torch.cuda.init()
    task = MixTask(timm.create_model("test_resnet", num_classes=5), spec, distill=distill).cuda().train()
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    images, labels = torch.rand(48, 3, 96, 96, device="cuda"), torch.randint(5, (48,), device="cuda")

    def step():
        task(images, labels)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        task.update_ema(task.step)

    task.update_ema(0)
    step()  # what is looked up once, such as the layout of the features, may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
