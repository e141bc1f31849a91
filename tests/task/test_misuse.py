"""MixTask with what users give it by mistake, or in a way that is easy to get wrong without a word."""

import pickle

import pytest
import timm
import torch
import torch.nn.functional as nnf
from accelerate import Accelerator
from timm.loss import BinaryCrossEntropy
from torch import nn

from tests.task.tasks import LABELS, images, model
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError


class Returning(nn.Module):
    """A network whose output goes through a function."""

    def __init__(self, change, classes=5):
        super().__init__()
        self.network, self.change = model(num_classes=classes), change

    def forward(self, x):
        return self.change(self.network(x))


@pytest.mark.parametrize(
    ("change", "shapes"),
    [
        (lambda z: z[:, 0], r"\[6\]"),
        (lambda z: z[:, :, None, None], r"\[6, 5, 1, 1\]"),
        (lambda z: (z, z[:, :2]), r"\[6, 5\], \[6, 2\]"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_logits_of_another_shape_are_refused(change, shapes, training):
    with pytest.raises(UsageError, match=rf"the model must return logits \[b, c\], got {shapes}"):
        MixTask(Returning(change), "mixup").train(training)(images(), LABELS)


def test_a_model_without_a_classifier_is_refused():
    with pytest.raises(UsageError, match="model must have a classifier, got one with num_classes=0"):
        MixTask(model(num_classes=0), "mixup")
    replaced = model(num_classes=0)
    replaced.fc = nn.Linear(replaced.num_features, 5)
    assert MixTask(replaced, "mixup").train()(images(), LABELS)["output"].shape == (6, 5)


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        (nn.CrossEntropyLoss, r"criterion must be an instance, CrossEntropyLoss\(\), got the class"),
        (nn.CrossEntropyLoss(reduction="sum"), "criterion must have reduction='mean', got 'sum'"),
        (nn.CrossEntropyLoss(reduction="none"), "criterion must have reduction='mean', got 'none'"),
    ],
)
def test_criteria_that_are_no_mean_loss_are_refused(criterion, said):
    with pytest.raises(UsageError, match=said):
        MixTask(model(), "mixup", criterion=criterion)


@pytest.mark.parametrize("result", [0.5, torch.zeros(6)])
def test_a_criterion_must_return_a_scalar(result):
    with pytest.raises(UsageError, match="criterion must return the mean loss, a scalar, got"):
        MixTask(model(), "mixup", criterion=lambda logits, targets: result)(images(), LABELS)


@pytest.mark.parametrize(
    ("criterion", "prediction"),
    [
        (nn.SmoothL1Loss(), lambda z: z),
        (nnf.mse_loss, lambda z: z),
        (nn.BCEWithLogitsLoss(), torch.sigmoid),
        (BinaryCrossEntropy(smoothing=0.0), torch.sigmoid),
        (nn.CrossEntropyLoss(), lambda z: z.softmax(-1)),
    ],
)
def test_a_teachers_targets_are_as_the_loss_needs_them(criterion, prediction):
    teacher = model(seed=1)
    task = MixTask(model(), "none", criterion=criterion, distill=1.0, teacher=teacher).train()
    torch.testing.assert_close(task(images(), LABELS)["target"], prediction(teacher.eval()(images())))


def test_a_teacher_needs_a_criterion_that_says_what_targets_are():
    def criterion(logits, targets):
        return (logits - targets).abs().mean()

    MixTask(model(), "mixup", criterion=criterion)
    with pytest.raises(UsageError, match="criterion must say what a teacher's targets are"):
        MixTask(model(), "mixup", criterion=criterion, distill=0.5, teacher="self")
    with pytest.raises(UsageError, match="smoothing must be 0 with L1Loss, whose targets are values"):
        MixTask(model(), "mixup", criterion=nn.L1Loss(), smoothing=0.1)


def test_teachers_are_checked_by_their_outputs_and_weights():
    with pytest.raises(UsageError, match="teacher must have 5 outputs, got 3"):
        MixTask(model(), "none", distill=0.5, teacher=Returning(lambda z: z, 3))(images(), LABELS)
    student = model()
    with pytest.raises(UsageError, match="teacher must not be the model itself"):
        MixTask(student, "none", distill=0.5, teacher=nn.DataParallel(student))
    grey = [timm.create_model(name, num_classes=5, in_chans=1) for name in ("test_resnet", "resnet18")]
    task = MixTask(grey[0], "mixup", distill=0.5, teacher=grey[1])
    assert task(images()[:, :1], LABELS)["loss"].isfinite()


def test_hard_pairs_of_one_logit_keep_their_labels():
    seen = []

    def criterion(logits, labels):
        seen.append(labels)
        return nnf.binary_cross_entropy_with_logits(logits[:, 0], labels.float(), reduction="none")

    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    MixTask(model(num_classes=1), "none", criterion=F.HardPairs(criterion)).train()(images(), labels)
    assert [each.tolist() for each in seen] == [labels.tolist()] * len(seen)
    assert seen


def test_a_module_in_hard_pairs_belongs_to_the_task():
    inner = nn.CrossEntropyLoss(weight=torch.ones(5), reduction="none")
    task = MixTask(model(), "mixup", criterion=F.HardPairs(inner)).double()
    assert inner.weight.dtype == torch.float64
    assert task(images().double(), LABELS)["loss"].dtype == torch.float64


def test_partners_close_in_value_with_integer_labels():
    """Where the model does not say how many classes it has, the criterion says that labels are values."""
    labels = torch.tensor([0, 1, 50, 51, 90, 91])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 1))
    task = MixTask(network, "c_mixup(bandwidth=1.0)", criterion="mse", seed=1).train()
    for _ in range(5):
        mixed = task(images(), labels)["target"].flatten()
        assert (mixed - labels).abs().max() <= 1


def test_mixing_can_be_switched_off_as_in_timm():
    mixture = create_mixer("mixup(alpha=5)")
    mixture.mixup_enabled = False
    task = MixTask(model(), mixture).train()
    torch.testing.assert_close(task(images(), LABELS)["target"], F.soft_targets(LABELS, 5))
    mixture.mixup_enabled = True
    assert task(images(), LABELS)["target"].max(1).values.min() < 0.95


def test_the_step_is_in_the_state_dict(tmp_path):
    """Accelerate saves and loads it, so that a resumed loop goes on with the draws and the schedule."""

    def prepared():
        accelerator = Accelerator(cpu=True)
        task = MixTask(model(), "mixup(alpha=5)", schedule="0-0.5", total_steps=8)
        return accelerator, accelerator.prepare(task).train()

    accelerator, task = prepared()
    for _ in range(6):
        task(images(), LABELS)
    accelerator.save_state(tmp_path)
    accelerator, task = prepared()
    accelerator.load_state(tmp_path)
    assert task.step == 6
    torch.testing.assert_close(task(images(), LABELS)["target"], F.soft_targets(LABELS, 5))


def test_a_model_that_was_mixed_at_a_layer_can_be_pickled():
    network = model()
    task = MixTask(network, "manifold_mixup(layers='stage 1')").train()
    task(images(), LABELS)["loss"].backward()
    for copy in (pickle.loads(pickle.dumps(network)), pickle.loads(pickle.dumps(task)).trainable_module):
        torch.testing.assert_close(copy.eval()(images()), network.eval()(images()))


def test_a_layer_is_mixed_though_its_class_was_compiled_before():
    torch.compile(model(), backend="eager")(images())
    task = MixTask(model(), "manifold_mixup(layers='stage 1')").train()
    task.compile(backend="eager")
    assert task(images(), LABELS)["loss"].isfinite()


def test_a_task_is_shown_before_a_lazy_model_knows_its_sizes():
    task = MixTask(nn.Sequential(nn.Flatten(), nn.LazyLinear(1000), nn.Linear(1000, 5)), "mixup")
    assert "<Sequential of 0.005 M parameters>" in repr(task)
    assert task(images(), LABELS)["loss"].isfinite()


def test_a_model_in_eval_mode_is_warned_of():
    task = MixTask(model().eval(), "mixup")
    with pytest.warns(
        UserWarning, match=r"the model is in eval mode while the task trains: call task.train\(\)"
    ):
        task(images(), LABELS)


def test_dataparallel_is_refused():
    """Its replicas are copies, whose steps nobody counts."""
    task = MixTask(model(), mix="mixup")
    with pytest.raises(UsageError, match="DistributedDataParallel for several devices, got DataParallel"):
        task._replicate_for_data_parallel()
