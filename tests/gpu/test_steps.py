"""Steps of every mixer on a GPU: precisions, memory format, compilation, exact resume.

MULTIMIX_GPU=cpu rehearses them without one, where they have the same meaning.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

import timm_multimix
from timm_multimix import MixTask, list_mixers

DEVICE = torch.device(os.environ.get("MULTIMIX_GPU", "cuda"))
BACKEND = "inductor" if DEVICE.type == "cuda" else "aot_eager"
# On the CPU it is the test itself that is tried, with few mixers: what they do there is tested elsewhere.
SPECS = list_mixers() if DEVICE.type == "cuda" else ["mixup", "multimix"]
# Their labels need a pass over mixed images, or a solver on the CPU chooses their masks.
NOT_COMPILED = ("co_mixup", "puzzlemix", "transmix")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE.type == "cuda" and not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def network(spec: str) -> nn.Module:
    """A small network that the mixer can be used with, on the device."""
    torch.manual_seed(0)
    name = "test_vit" if spec in ("transmix", "tokenmix", "smmix", "mixpro") else "test_resnet"
    return (
        timm.create_model(name, num_classes=5, img_size=64)
        if "vit" in name
        else timm.create_model(name, num_classes=5)
    )


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images [16, 3, 64, 64] and labels [16]."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = (
        torch.rand(16, 3, 64, 64, generator=generator),
        torch.randint(5, (16,), generator=generator),
    )
    return images.to(DEVICE), labels.to(DEVICE)


def task_of(spec: str, **options: Any) -> MixTask:
    return MixTask(network(spec).to(DEVICE), spec, **options).train()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("spec", SPECS)
def test_a_step_in_mixed_precision_trains(spec: str, dtype: torch.dtype) -> None:
    """A step as a loop makes it, fp16 with a GradScaler: finite losses, changed weights."""
    task = task_of(spec)
    optimizer = torch.optim.SGD(task.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=dtype is torch.float16)
    before = [parameter.detach().clone() for parameter in task.trainable_module.parameters()]
    for seed in range(3):
        with torch.autocast(DEVICE.type, dtype):
            loss = task(*batch(seed))["loss"]
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        assert loss.isfinite()
    after = list(task.trainable_module.parameters())
    assert all(parameter.isfinite().all() for parameter in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("spec", SPECS)
def test_channels_last_gives_the_same_loss(spec: str) -> None:
    images, labels = batch()
    plain = task_of(spec)(images, labels)["loss"]
    last = MixTask(network(spec).to(DEVICE, memory_format=torch.channels_last), spec).train()
    found = last(images.to(memory_format=torch.channels_last), labels)["loss"]
    torch.testing.assert_close(found, plain, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("spec", [name for name in SPECS if name not in NOT_COMPILED])
def test_later_steps_do_not_compile_again(spec: str) -> None:
    counter = CompileCounterWithBackend(BACKEND)
    task = MixTask(torch.compile(network(spec).to(DEVICE), backend=counter), spec).train()
    counts = []
    for seed in range(6):
        task(*batch(seed))["loss"].backward()
        counts.append(counter.frame_count)
    assert counts[0] > 0
    assert counts[-1] == counts[-3]


@pytest.mark.parametrize("mix", ["multimix", "mixup | cutmix"])
def test_a_run_with_the_cache_on_the_device_resumes_exactly(mix: str, tmp_path: Path) -> None:
    """Interrupted in its second epoch and resumed: the weights of the run that was not."""

    class Stop(timm_multimix.Callback):
        def on_step(self, state: Any) -> None:
            if state.step == 15:
                raise KeyboardInterrupt

    options: dict[str, Any] = {
        "mix": mix,
        "epochs": 2,
        "batch_size": 128,
        "cache": "device",
        "crop_padding": 2,
        "workers": 0,
    }
    whole = timm_multimix.train(output=str(tmp_path / "whole"), **options)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        timm_multimix.train(output=str(tmp_path / "parts"), callbacks=[Stop()], **options)
    resumed = timm_multimix.train(output=str(tmp_path / "parts"), resume="auto", **options)
    weights = [load_file(run.directory / "model/model.safetensors") for run in (whole, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
