"""Gradient accumulation and compilation, for every registered mixer."""

import pytest
import torch

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask, list_mixers
from timm_multimix.randomness import derive_seed

NEEDS_ATTENTION = ("transmix", "smmix", "mixpro")
ARGUMENTS = {
    "multimix": "p=1, n=50",
    "dense_multimix": "p=1, n=50",
    "alignmixup": "p=1",
    "catch_up_mix": "p=1",
}


def spec_of(name):
    return f"{name}({ARGUMENTS[name]})" if name in ARGUMENTS else name


def small_model(name):
    torch.manual_seed(0)
    return small_vit() if name in NEEDS_ATTENTION else SmallNet()


def micro_batch(k):
    generator = torch.Generator().manual_seed(derive_seed(k))
    return torch.rand(5, 3, 8, 8, generator=generator), torch.randint(4, (5,), generator=generator)


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("name", list_mixers())
def test_accumulated_gradients_are_the_sum_of_the_steps(name):
    model = small_model(name)
    task = MixTask(model, spec_of(name), seed=3).train()
    for k in range(3):
        task(*micro_batch(k))["loss"].backward()
    together, alone = gradients(model), []
    for k in range(3):
        model.zero_grad()
        task.step = k
        task(*micro_batch(k))["loss"].backward()
        alone.append(gradients(model))
    for total, parts in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(total, sum(parts), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_mixers())
def test_compiled_steps_equal_eager_ones(name):
    def train(compiled):
        torch._dynamo.reset()
        model = small_model(name)
        task = MixTask(model, spec_of(name), seed=3).train()
        step = torch.compile(task, backend="aot_eager") if compiled else task
        losses = []
        for k in range(3):
            loss = step(*micro_batch(k))["loss"]
            loss.backward()
            losses.append(float(loss.detach()))
        return losses, gradients(model)

    (eager, by_eager), (compiled, by_compiled) = train(False), train(True)
    assert compiled == pytest.approx(eager, rel=1e-4)
    for ours, theirs in zip(by_compiled, by_eager, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
