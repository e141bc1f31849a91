"""MixTask: its contract with timm's tasks, its losses, teachers, compilation, and other people's loops."""

import copy

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as nnf
from timm.data import Mixup
from timm.optim import create_optimizer_v2
from timm.task import TrainingTask
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from tests.networks import SmallNet
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Context
from timm_multimix.randomness import draw_generator


def images(b=6, size=32, seed=0):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def model(seed=0, name="test_resnet", **options):
    torch.manual_seed(seed)
    return timm.create_model(name, num_classes=5, **options)


def small_model():
    torch.manual_seed(0)
    return SmallNet()


def drawn(task, x, **context):
    """The draw that the task makes at its present step for the tensor x."""
    generator = draw_generator(task.seed, task.step, x.device)
    return task._choose_mixer().sample(x, Context(generator, **context))


def test_is_a_timm_task():
    task = MixTask(model(), "mixup")
    assert isinstance(task, TrainingTask)
    assert task.get_trainable_module() is task.trainable_module
    assert task.get_eval_model() is task.trainable_module
    assert set(task(images(), LABELS)) == {"loss", "output", "target"}


def test_embedding_loss_is_the_paper_on_the_penultimate_layer():
    """Mix the input of the classifier, classify n of them: the same loss and the same gradients."""
    ours, theirs = model(), model()
    task = MixTask(ours, "multimix(n=50, p=1)").train()
    theirs.train()
    embeddings = theirs.forward_head(theirs.forward_features(images()), pre_logits=True)
    weights = drawn(task, embeddings).weights
    mixed, targets = weights @ embeddings, weights @ F.soft_targets(LABELS, 5)
    expected = -(targets * theirs.get_classifier()(mixed).log_softmax(-1)).sum(-1).mean()
    loss = task(images(), LABELS)["loss"]
    torch.testing.assert_close(loss, expected)
    expected.backward()
    loss.backward()
    for ours_p, theirs_p in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_p.grad, theirs_p.grad, rtol=1e-4, atol=1e-5)


def test_dense_loss_is_the_paper_at_every_position():
    """Attention and factors at each position, classifier at each position, position by position."""
    ours, theirs = model(), model()
    task = MixTask(ours, "dense_multimix(n=20, p=1)").train()
    theirs.train()
    maps = theirs.forward_features(images(size=96))
    assert maps.shape[-1] > 1
    embeddings = maps.flatten(2).permute(2, 0, 1)
    attention = (embeddings * embeddings.mean(0)).sum(-1).relu() + 1e-6
    attention = (attention / attention.sum(0)).detach()
    weights = drawn(task, embeddings.transpose(0, 1), attention=attention).weights
    targets, losses = F.soft_targets(LABELS, 5), []
    for j in range(len(embeddings)):
        logits = theirs.get_classifier()(weights[j] @ embeddings[j])
        losses.append(-((weights[j] @ targets) * logits.log_softmax(-1)).sum(-1).mean())
    torch.testing.assert_close(task(images(size=96), LABELS)["loss"], torch.stack(losses).mean())


def test_input_mixing_is_mixing_by_hand():
    ours, theirs = model(), model()
    task = MixTask(ours, "mixup(alpha=0.5)", smoothing=0.1).train()
    draw = drawn(task, images())
    out = task(images(), LABELS)
    torch.testing.assert_close(out["output"], theirs.train()(draw(images())))
    torch.testing.assert_close(out["target"], draw.targets(F.soft_targets(LABELS, 5, 0.1)))
    torch.testing.assert_close(out["loss"], nnf.cross_entropy(out["output"], out["target"]))


def test_a_callable_criterion_gets_the_mixed_logits_and_targets():
    seen = []

    def criterion(logits, targets):
        seen.append((logits.shape, targets.shape))
        return nnf.cross_entropy(logits, targets)

    for mix in ("mixup", "multimix(n=30, p=1)", "dense_multimix(n=30, p=1)"):
        by_hand = MixTask(model(), mix, criterion=criterion).train()(images(size=96), LABELS)["loss"]
        exact = MixTask(model(), mix).train()(images(size=96), LABELS)["loss"]
        torch.testing.assert_close(by_hand, exact)
    assert seen == [((6, 5), (6, 5)), ((30, 5), (30, 5)), ((270, 5), (270, 5))]


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_distillation_blends_the_teachers_targets_before_mixing(weight):
    teacher = model(seed=1)
    task = MixTask(model(), "mixup", distill=weight, teacher=teacher).train()
    draw = drawn(task, images())
    out = task(images(), LABELS)
    taught = teacher.eval()(images()).softmax(-1)
    blended = (1 - weight) * F.soft_targets(LABELS, 5) + weight * taught
    torch.testing.assert_close(out["target"], draw.targets(blended))
    torch.testing.assert_close(out["loss"], nnf.cross_entropy(out["output"], out["target"]))


def test_distillation_of_a_loss_not_linear_in_the_target_adds_losses():
    teacher = model(seed=1)
    task = MixTask(model(), "mixup", criterion="mse", distill=0.3, teacher=teacher).train()
    draw = drawn(task, images())
    out = task(images(), LABELS)
    against = [F.soft_targets(LABELS, 5), teacher.eval()(images())]
    parts = [nnf.mse_loss(out["output"], draw.targets(targets)) for targets in against]
    torch.testing.assert_close(out["loss"], 0.7 * parts[0] + 0.3 * parts[1])


def test_dense_distillation_is_position_by_position():
    task = MixTask(model(), "dense_multimix(n=20, p=1)", distill=1.0, teacher="self").train()
    reference = model().train()
    maps = reference.forward_features(images(size=96))
    positions = reference.get_classifier()(maps.flatten(2).permute(2, 0, 1))
    embeddings = maps.flatten(2).permute(2, 0, 1)
    attention = (embeddings * embeddings.mean(0)).sum(-1).relu() + 1e-6
    weights = drawn(task, positions, attention=(attention / attention.sum(0)).detach()).weights
    taught = positions.detach().softmax(-1)
    expected = -((weights @ taught) * (weights @ positions).log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(task(images(size=96), LABELS)["loss"], expected)


def test_the_own_prediction_costs_no_pass_where_the_step_has_one():
    passes = []
    network = model()
    network.register_forward_hook(lambda *_: passes.append(1))
    passes_of = {"none": 1, "multimix(p=1)": 1, "mixup(place='embedding')": 1, "mixup": 2}
    for mix, expected in passes_of.items():
        passes.clear()
        MixTask(network, mix, distill=0.5, teacher="self").train()(images(), LABELS)
        assert len(passes) == expected


@pytest.mark.parametrize("mix", ["none", "mixup", "manifold_mixup", "multimix(p=1)", "dense_multimix(p=1)"])
def test_the_average_costs_one_pass_without_gradient_in_the_precision_of_autocast(mix):
    passes = []
    task = MixTask(model(), mix, distill=0.5, teacher="ema").train()
    stem = task.trainable_module_ema.module.conv1
    stem.register_forward_hook(lambda _, inputs, output: passes.append((output.dtype, output.requires_grad)))
    with torch.autocast("cpu", torch.bfloat16):
        task(images(size=64), LABELS)["loss"].backward()
    assert passes == [(torch.bfloat16, False)]


def test_the_extra_pass_leaves_batch_statistics_and_modes_alone():
    networks = [model(), model()]
    for network, options in zip(networks, ({}, {"distill": 0.5, "teacher": "self"}), strict=True):
        task = MixTask(network, "mixup", **options).train()
        network.layer1.eval()
        task(images(), LABELS)
        assert not network.layer1[0].training
        assert network.layer2[0].training
    for ours, theirs in zip(networks[0].buffers(), networks[1].buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_weight_of_distillation_warms_up():
    task = MixTask(model(), distill=0.8, teacher="self", distill_warmup=4).train()
    weights = []
    for _ in range(6):
        weights.append(task._distill_weight())
        task(images(), LABELS)
    assert weights == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_an_ema_teacher_that_is_never_updated_raises_at_the_second_call():
    task = MixTask(model(), "mixup", distill=0.5, teacher="ema").train()
    task(images(), LABELS)
    with pytest.raises(RuntimeError, match="update_ema"):
        task(images(), LABELS)
    updated = MixTask(model(), "mixup", distill=0.5, teacher="ema").train()
    for step in range(3):
        updated(images(), LABELS)
        updated.update_ema(step)


def test_the_ema_follows_the_model_and_is_frozen():
    task = MixTask(model(), distill=0.5).train()
    average = task.trainable_module_ema.module
    assert not average.training
    assert not any(p.requires_grad for p in task.trainable_module_ema.parameters())
    with torch.no_grad():
        task.trainable_module.get_classifier().weight.add_(1.0)
    task.update_ema(0)
    assert torch.equal(average.get_classifier().weight, task.trainable_module.get_classifier().weight)


def test_a_teachers_own_normalisation_is_used():
    class Teacher(nn.Module):
        pretrained_cfg = {"mean": (0.1, 0.1, 0.1), "std": (2.0, 2.0, 2.0)}  # noqa: RUF012
        seen = None

        def forward(self, x):
            Teacher.seen = x
            return torch.zeros(len(x), 5)

    student = model()
    task = MixTask(student, distill=0.5, teacher=Teacher()).train()
    pixels = images()
    mean, std = (torch.tensor(student.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    task((pixels - mean) / std, LABELS)
    torch.testing.assert_close(Teacher.seen, (pixels - 0.1) / 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mix": "mixpu"}, "unknown mixer"),
        ({"criterion": "hinge"}, "softmax, sigmoid, mse"),
        ({"smoothing": 1.5}, "smoothing=1.5"),
        ({"smoothing": "a"}, "smoothing='a' given, allowed is a number"),
        ({"distill": -1}, "distill=-1"),
        ({"distill": None}, "distill=None given, allowed is a number"),
        ({"distill": 0.5, "teacher": None}, "teacher=None given, allowed are"),
        ({"schedule": 3, "total_steps": 10}, "schedule=3 given, allowed is a text"),
        ({"schedule": "0.1-0.8", "total_steps": "10"}, "total_steps='10' given"),
        ({"seed": "x"}, "seed='x' given, allowed is a whole number"),
        ({"distill": 0.5, "teacher": "no_such_model"}, "ema, self or a pretrained timm model"),
        ({"distill": 0.5, "teacher": "self", "distill_warmup": -5}, "distill_warmup=-5"),
        ({"mix": create_mixer("none", smoothing=0.2)}, "give those to MixTask"),
        ({"mix": "manifold_mixup(layers=77)"}, "layer 77"),
    ],
)
def test_mistakes(options, said):
    with pytest.raises(UsageError, match=said) as error:
        MixTask(model(), **options)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_numbers():
    options = {"smoothing": np.float32(0.1), "seed": np.int64(3), "total_steps": np.int64(5)}
    MixTask(model(), "mixup", schedule="0-1", **options).train()(images(), LABELS)["loss"].backward()


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(UsageError, match="teacher with 7 classes given, the student has 5"):
        MixTask(model(), distill=0.5, teacher=timm.create_model("test_resnet", num_classes=7))


def test_models_that_return_an_object_with_logits():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model()

        def forward(self, x):
            return Output(self.inner(x))

    for mix in ("multimix(p=1)", "mixup", "manifold_mixup(layers='inner.layer1')"):
        task = MixTask(Wrapped(), mix, distill=0.5, teacher="self")
        task.train()(images(), LABELS)["loss"].backward()
        assert task.eval()(images(), LABELS)["output"].shape == (6, 5)
    with pytest.raises(UsageError, match="forward_features"):
        MixTask(Wrapped(), "dense_multimix(p=1)").train()(images(), LABELS)


def test_a_model_that_returns_something_else_is_refused():
    class Odd(nn.Module):
        def forward(self, x):
            return {"features": x}

    with pytest.raises(UsageError, match="returned dict"):
        MixTask(Odd(), "mixup").train()(images(), LABELS)


@pytest.mark.parametrize("way", ["model", "task.compile", "torch.compile(task)"])
@pytest.mark.parametrize(
    "mix", ["mixup", "manifold_mixup(layers=(1, 2))", "multimix(p=1)", "dense_multimix(p=1)"]
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
@pytest.mark.parametrize("mix", ["mixup(per_sample=True)", "multimix(p=1)", "dense_multimix(p=1)"])
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


def test_timms_checkpoints_keep_the_step():
    task = MixTask(model(), "mixup").train()
    for _ in range(3):
        task(images(), LABELS)
    state = task.get_checkpoint_state()
    fresh = MixTask(model(seed=4), "mixup").train()
    fresh.load_checkpoint_state(state["state_dict"], state["task_state"])
    assert fresh.step == 3
    assert torch.equal(fresh(images(), LABELS)["loss"], task(images(), LABELS)["loss"])


def test_the_model_itself_is_no_teacher():
    network = model()
    with pytest.raises(UsageError, match="teacher='self'"):
        MixTask(network, distill=0.5, teacher=network)
    assert all(p.requires_grad for p in network.parameters())


def test_accumulation_with_an_ema_teacher():
    task = MixTask(model(), "mixup", distill=0.5).train()
    task.update_ema(0)
    for _ in range(4):
        (task(images(), LABELS)["loss"] / 4).backward()
    task.update_ema(1)


@pytest.mark.parametrize("mix", ["none", "mixup", "multimix(p=1)"])
def test_a_teacher_of_vectors_in_half_precision(mix):
    student, teacher = nn.Linear(6, 5).bfloat16(), nn.Linear(6, 5).bfloat16()
    out = MixTask(student, mix, distill=0.5, teacher=teacher).train()(torch.rand(4, 6).bfloat16(), LABELS[:4])
    assert out["target"].shape == out["output"].shape == (4, 5)


def test_a_teacher_without_effect_is_named():
    with pytest.warns(UserWarning, match="no effect with distill=0"):
        MixTask(model(), teacher="self")
