"""A criterion is added in one place: once its class is registered, its name is accepted everywhere."""

import pytest
import torch
import torch.nn.functional as nnf
from torch import nn

from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.functional.criteria import CRITERIA, Formula, find_criterion, register_criterion
from timm_multimix.functional.tuple_sums import EntropySums
from timm_multimix.mixers import Context
from timm_multimix.randomness import draw_generator

B, FEATURES, C = 6, 9, 4


class SquaredHinge(Formula):
    """t (1 - z)_+^2 + (1 - t) (1 + z)_+^2, averaged over the classes; of tuples as it reads."""

    name = "squared_hinge"
    linear = True

    def formula(self, logits, targets):
        return (targets * (1 - logits).relu().square() + (1 - targets) * (1 + logits).relu().square()).mean()

    def probabilities(self, logits):
        return logits.add(1).div(2).clamp(0, 1)


class BinarySparsemaxSums(EntropySums):
    """phi is 0 up to -1, (z + 1)^2 / 4 up to 1, then z; P is (z + 1) / 2 within 0 and 1."""

    def _predict(self, mixed, predicted, weights, positions):
        value = phi(mixed).sum()
        torch.clamp(mixed.add(1).div_(2), 0, 1, out=predicted)
        return value, mixed.new_ones(())

    def _weights_gradient(self, weights, logits):
        return (weights @ logits).add(1).div(2).clamp(0, 1) @ logits.mT


class BinarySparsemax(Formula):
    """The loss of sparsemax for every class by itself (arXiv:1602.02068, section 3.2)."""

    name = "sparsemax"
    sums, linear, indices = BinarySparsemaxSums, True, True

    def formula(self, logits, targets):
        return (phi(logits) - logits * targets).mean()

    def probabilities(self, logits):
        return logits.add(1).div(2).clamp(0, 1)


def phi(z):
    return torch.where(z.abs() < 1, (z + 1).square() / 4, z.relu())


@pytest.fixture(params=[SquaredHinge, BinarySparsemax], ids=["as it reads", "summed over tuples"])
def added(request):
    """A criterion that is known for the length of a test."""
    criterion = request.param()
    register_criterion(criterion)
    yield criterion
    del CRITERIA[criterion.name]


def step_of(mix, criterion, **options):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(FEATURES, 12), nn.ReLU(), nn.Linear(12, C))
    task = MixTask(network, mix, criterion=criterion, **options).train()
    x = torch.randn(B, FEATURES, generator=torch.Generator().manual_seed(1))
    return task, x, torch.arange(B) % C


def literal(task, x, targets):
    """The mixed logits and targets of the first step, by the definition."""
    mixer = task.mixture.branches[0][1].mixer
    context, network = Context(draw_generator(0, 0, x.device)), task.trainable_module
    made = x if mixer.place == "input" else network(x)
    draw = mixer.sample(made, context)
    return network(draw(x)) if mixer.place == "input" else draw(made), draw.targets(targets)


@pytest.mark.parametrize("mix", ["none", "mixup", "multimix(n=7, p=1)", "multimix(n=300, m=2, p=1)"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("distill", [0.0, 0.3])
def test_an_added_criterion_trains_with_every_kind_of_mixing(added, mix, smoothing, distill):
    teacher = {"distill": distill, "teacher": "self"} if distill else {}
    task, x, labels = step_of(mix, added.name, smoothing=smoothing, **teacher)
    network, given = task.trainable_module, nnf.one_hot(labels, C) * (1 - smoothing) + smoothing / C
    taught = added.probabilities(network(x)).detach()
    expected = added.formula(*literal(task, x, torch.lerp(given, taught, distill)))
    loss = task(x, labels)["loss"]
    torch.testing.assert_close(loss, expected)
    wanted = torch.autograd.grad(expected, list(network.parameters()))
    for found, gradient in zip(torch.autograd.grad(loss, list(network.parameters())), wanted, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


def test_added_sums_over_tuples_are_the_loss_as_it_reads(monkeypatch):
    """With few classes and many, several chunks and positions, and gradients by logits and weights."""
    monkeypatch.setitem(CRITERIA, "sparsemax", BinarySparsemax())
    generator = torch.Generator().manual_seed(0)
    for shape, tuples in (((6, 3), 200), ((3, 5), 300), ((2, 4, 9), 150)):
        logits = torch.randn(shape, generator=generator, dtype=torch.float64).mul(2).requires_grad_()
        targets = torch.rand(shape, generator=generator, dtype=torch.float64)
        weights = torch.rand(tuples, shape[-2], generator=generator, dtype=torch.float64)
        weights = weights.div(weights.sum(-1, keepdim=True)).requires_grad_()
        expected = BinarySparsemax().formula(weights @ logits, weights @ targets)
        found = F.multimix_loss(logits, targets, weights, kind="sparsemax")
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(loss, [logits, weights]) for loss in (found, expected)]
        torch.testing.assert_close(*gradients)


def test_an_unknown_criterion_is_refused_everywhere(monkeypatch):
    monkeypatch.setitem(CRITERIA, "squared_hinge", SquaredHinge())
    logits, targets, weights = torch.zeros(3, 2), torch.zeros(3, 2), torch.ones(4, 3) / 3
    allowed = "must be softmax, sigmoid, mse, squared_hinge or a callable, got 'hinge'"
    for call in (
        lambda: F.soft_loss(logits, targets, "hinge"),
        lambda: F.mixed_loss(F.Tuples(weights), logits, targets, "hinge"),
        lambda: F.loss_of_mixed(F.Identity(), logits, targets, "hinge"),
        lambda: step_of("none", "hinge"),
    ):
        with pytest.raises(UsageError, match=f"criterion {allowed}"):
            call()
    for kind in ("hinge", "squared_hinge"):
        with pytest.raises(UsageError, match=f"kind must be one of softmax, sigmoid, mse, got '{kind}'"):
            F.multimix_loss(logits, targets, weights, kind=kind)


def test_a_criterion_object_is_used_as_it_is():
    hard = F.HardPairs(nn.CrossEntropyLoss(reduction="none"))
    assert find_criterion(hard) is hard
    assert find_criterion("mse") is find_criterion(find_criterion("mse"))
    module = nn.CrossEntropyLoss()
    logits, targets = torch.randn(2, 3, C), torch.rand(2, 3, C)
    expected = module(logits.flatten(0, 1), targets.flatten(0, 1))
    torch.testing.assert_close(find_criterion(module).loss(logits, targets), expected)
    assert not find_criterion(module).linear


def test_a_criterion_that_is_a_module_is_moved_with_the_task():
    """Its own tensors, such as weights of classes, are cast and saved as the task's are."""
    task, x, labels = step_of("mixup", nn.CrossEntropyLoss(weight=torch.arange(1.0, C + 1)))
    assert "criterion.weight" in task.state_dict()
    task.double()
    logits, targets = literal(task, x.double(), torch.eye(C, dtype=torch.float64)[labels])
    weight = torch.arange(1.0, C + 1, dtype=torch.float64)
    expected = -(targets * weight * logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(task(x.double(), labels)["loss"], expected)


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        (nn.BCEWithLogitsLoss(), torch.sigmoid),
        (nnf.binary_cross_entropy_with_logits, torch.sigmoid),
        (nn.CrossEntropyLoss(), lambda z: z.softmax(-1)),
        (nnf.kl_div, lambda z: z.softmax(-1)),
    ],
)
def test_the_probabilities_of_a_known_loss_are_those_of_its_formula(loss, function):
    logits = torch.randn(3, C, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(find_criterion(loss).probabilities(logits), function(logits))
