"""MixTask under torch.compile: equal to eager training, without recompilation from step to step."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from tests.task.tasks import LABELS, images, small_model
from timm_multimix import MixTask


@pytest.mark.parametrize("way", ["model", "task.compile", "torch.compile(task)"])
@pytest.mark.parametrize(
    "mix",
    [
        "mixup",
        "manifold_mixup(layers=(1, 2))",
        "multimix(p=1)",
        "multimix(n=5000, p=1)",  # so many weights are drawn in another way
        "dense_multimix(p=1)",
    ],
)
def test_compiled_training_equals_eager(mix, way):
    def losses(compiled):
        torch._dynamo.reset()
        network = small_model()
        if compiled and way == "model":
            task = MixTask(torch.compile(network, backend="aot_eager"), mix).train()
        else:
            task = MixTask(network, mix).train()
        if compiled and way == "task.compile":
            task.compile(backend="aot_eager")
        step = torch.compile(task, backend="aot_eager") if compiled and "torch" in way else task
        values = []
        for seed in range(3):
            out = step(images(4, 8, seed), LABELS[:4] % 4)
            out["loss"].backward()
            values.append(out["loss"].item())
        return values, [p.grad for p in network.parameters()], list(network.state_dict())

    eager, compiled = losses(False), losses(True)
    assert compiled[0] == pytest.approx(eager[0], rel=1e-4)
    assert compiled[2] == eager[2]
    for ours, theirs in zip(compiled[1], eager[1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_compiled_with_inductor():
    for mix in ("multimix(p=1)", "dense_multimix(p=1)", "mixup(per_sample=True)"):
        torch._dynamo.reset()
        task = MixTask(torch.compile(small_model()), mix).train()
        losses = [task(images(4, 8, s), LABELS[:4] % 4)["loss"] for s in range(2)]
        losses[-1].backward()
        reference = MixTask(small_model(), mix).train()
        for s in range(2):
            expected = reference(images(4, 8, s), LABELS[:4] % 4)["loss"]
        assert losses[-1].item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize("way", ["model", "task"])
@pytest.mark.parametrize(
    "mix", ["mixup(per_sample=True)", "multimix(p=1)", "multimix(n=5000, p=1)", "dense_multimix(p=1)"]
)
def test_later_steps_do_not_compile_again(mix, way):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(small_model(), backend=counter) if way == "model" else small_model()
    task = MixTask(compiled, mix).train()
    step = torch.compile(task, backend=counter) if way == "task" else task
    graphs = []
    for seed in range(12):
        step(images(4, 8, seed), LABELS[:4] % 4)["loss"].backward()
        graphs.append(counter.frame_count)
    assert 0 < graphs[2] == graphs[-1]


@pytest.mark.parametrize("mix", ["mixup", "dense_multimix(p=1)", "alignmixup(p=1)"])
@pytest.mark.parametrize("way", ["model", "task.compile"])
def test_a_copy_of_a_compiled_task_trains_its_own_weights(mix, way):
    torch._dynamo.reset()
    network = small_model()
    task = MixTask(torch.compile(network, backend="eager") if way == "model" else network, mix).train()
    if way == "task.compile":
        task.compile(backend="eager")
    copied = copy.deepcopy(task)
    loss = copied(images(4, 8), LABELS[:4] % 4)["loss"]
    loss.backward()
    assert any(parameter.grad is not None for parameter in copied.parameters())
    assert all(parameter.grad is None for parameter in task.parameters())
    torch.testing.assert_close(loss, task(images(4, 8), LABELS[:4] % 4)["loss"])
