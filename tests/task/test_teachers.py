"""MixTask's teachers: their effect on the targets, their cost, and which are refused."""

import pytest
import timm
import torch
import torch.nn.functional as nnf
from torch import nn

from tests.task.tasks import LABELS, drawn, images, model
from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError


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
        task = MixTask(network, mix, distill=0.5, teacher="self").train()
        task(images(), LABELS)  # the first step may look at the classifier as well
        passes.clear()
        task(images(), LABELS)
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


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(UsageError, match="teacher must have the student's 5 classes, got 7"):
        MixTask(model(), distill=0.5, teacher=timm.create_model("test_resnet", num_classes=7))


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
