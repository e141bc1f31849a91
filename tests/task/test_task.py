"""MixTask: its contract with timm's tasks, its losses, the models it takes, and mistakes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from timm.task import TrainingTask
from torch import nn

from tests.task.tasks import LABELS, drawn, images, model
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mix": "mixpu"}, "unknown mixer"),
        ({"criterion": "hinge"}, "softmax, sigmoid, mse"),
        ({"smoothing": 1.5}, "smoothing must be a number from 0 to 1, got 1.5"),
        ({"smoothing": "a"}, "smoothing must be a number from 0 to 1, got 'a'"),
        ({"distill": -1}, "distill must be .* got -1"),
        ({"distill": None}, "distill must be a number from 0 to 1, got None"),
        ({"distill": 0.5, "teacher": None}, "teacher must be 'ema'"),
        ({"schedule": 3, "total_steps": 10}, "schedule must be a string"),
        (
            {"schedule": "0.1-0.8", "total_steps": "10"},
            "total_steps must be the number of training calls with a schedule, got '10'",
        ),
        ({"seed": "x"}, "seed must be a whole number, got 'x'"),
        ({"distill": 0.5, "teacher": "no_such_model"}, "ema, self or a pretrained timm model"),
        ({"distill": 0.5, "teacher": "self", "distill_warmup": -5}, "distill_warmup must be .*, got -5"),
        ({"mix": create_mixer("none", smoothing=0.2)}, "give those to MixTask"),
        ({"mix": "manifold_mixup(layers=77)"}, "layer must be .* got 77"),
    ],
)
def test_mistakes(options, said):
    with pytest.raises(UsageError, match=said) as error:
        MixTask(model(), **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("classes", "options", "said"),
    [
        (1, {}, "criterion must be sigmoid or mse for a model of one output, of which softmax is always 1"),
        (5, {"mix": create_mixer("mixup", num_classes=7)}, "num_classes of mix must be 5, .*, got 7"),
    ],
)
def test_mistakes_that_the_first_step_shows(classes, options, said):
    with pytest.raises(UsageError, match=said) as error:
        MixTask(model(num_classes=classes), **options).train()(images(), LABELS)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_numbers():
    options = {"smoothing": np.float32(0.1), "seed": np.int64(3), "total_steps": np.int64(5)}
    MixTask(model(), "mixup", schedule="0-1", **options).train()(images(), LABELS)["loss"].backward()


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

    with pytest.raises(UsageError, match="tuple of logits, got dict"):
        MixTask(Odd(), "mixup").train()(images(), LABELS)


def test_the_name_of_a_model_is_refused():
    with pytest.raises(UsageError, match=r"model must be a torch\.nn\.Module, .*, got 'resnet18'"):
        MixTask("resnet18", "mixup")


@pytest.mark.parametrize("mix", ["mixup", "multimix(p=1)"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((torch.zeros(0, 3, 32, 32), torch.zeros(0).long()), r"images must be of one example or more, got"),
        (([[1.0]], torch.zeros(1).long()), "images must be a tensor, got a list"),
        ((torch.zeros(1, 3, 32, 32), [0]), "labels must be a tensor, got a list"),
        ((torch.zeros(2, 3, 32, 32), torch.zeros(1).long()), "labels must be one for each of 2 images"),
    ],
)
def test_batches_that_are_none(mix, wrong, said):
    for mixes in (MixTask(model(), mix), *([] if "multi" in mix else [create_mixer(mix, num_classes=5)])):
        with pytest.raises(ValueError, match=said):
            mixes(*wrong)
