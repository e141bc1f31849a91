"""The check that detects models in which mixing logits is not mixing the classifier's input."""

import warnings

import pytest
import timm
import torch
from torch import nn

from tests.networks import SmallNet, small_volo
from tests.sites.heads import LEVIT
from tests.sites.test_literal import HEADS
from tests.task.tasks import LABELS, images, model
from timm_multimix import MixTask
from timm_multimix.sites.affine_probe import affine_error, warn_if_not_affine
from timm_multimix.sites.frozen_norm import recorded_inputs
from timm_multimix.sites.probe import classifiers


class Named(SmallNet):
    """A small network that names its classifier as timm's do."""

    def __init__(self, head, drop_rate=0.0):
        super().__init__()
        self.head, self.drop_rate = head, drop_rate

    def get_classifier(self):
        return self.head


@pytest.mark.parametrize(
    ("kind", "affine"), [("linear", True), ("cosine", False), ("norm", False), ("hidden layer", False)]
)
def test_the_error_is_that_of_the_map_behind_the_embedding(kind, affine):
    """In float64, against the map itself: f of the mean of two, and the mean of f."""
    torch.manual_seed(0)
    made, x = Named(HEADS[kind]()).double().eval(), 5 * torch.randn(6, 3, 16, 16, dtype=torch.float64)
    embedded = made.forward_features(x).mean((2, 3))
    pairs = (embedded + embedded.roll(-1, 0)) / 2
    logits = made.head(embedded)
    means = (logits + logits.roll(-1, 0)) / 2
    expected = ((made.head(pairs) - means).norm() / (logits - logits.mean(0)).norm()).item()
    error = affine_error(made, x)
    assert error == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert (error < 1e-6) == affine


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("test_resnet", {}, 64),
        ("test_vit", {"img_size": 32}, 32),
        ("test_convnext", {}, 64),
        ("test_efficientnet", {}, 64),
        ("deit_tiny_distilled_patch16_224", {"img_size": 32, "depth": 2}, 32),
        ("mobilenetv4_conv_small_035", {}, 64),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_timms_usual_heads_are_affine(name, options, side, dtype):
    made = model(name=name, **options).to(dtype)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1) if not parameter.any() else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_not_affine(made, images(6, side).to(dtype))


def test_a_model_that_brings_its_own_autocast_is_judged_by_its_precision():
    made = model()
    inner = made.forward
    made.forward = lambda x: torch.autocast("cpu", dtype=torch.bfloat16)(inner)(x).float()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_not_affine(made, images())


def test_volos_maximum_over_tokens_is_a_warning():
    made = small_volo()
    with pytest.warns(UserWarning, match=r"VOLO: its classifier is not an affine map of its input"):
        MixTask(made, "multimix(p=1)").train()(images(6, 64), LABELS)


def test_a_batch_norm_in_the_classifier_is_a_warning():
    made = timm.create_model("levit_128s", num_classes=5, **LEVIT)
    with pytest.warns(UserWarning, match="normalises by the statistics of the clean batch") as told:
        MixTask(made, "multimix(p=1)").train()(images(6, 96), LABELS)
    assert not any("affine" in str(each.message) for each in told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_not_affine(made.eval(), images(6, 96))


@pytest.mark.parametrize("literal", [False, True])
def test_dropout_before_the_classifier_averages_out_in_both_readings(literal):
    """Of 40 embeddings with half of the features dropped, hardly a feature is missing in a mixture."""
    torch.manual_seed(0)
    made = model(drop_rate=0.5).train()
    task = MixTask(made, f"multimix(p=1, n=30, literal={literal})").train()
    with recorded_inputs([made.get_classifier()]) as calls, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task(images(40), LABELS.repeat(7)[:40])
    (x,) = (x for _, x in calls if len(x) == (30 if literal else 40))
    dropped = (x[:, x.any(0)] == 0).float().mean()
    assert dropped < 0.1 if literal else dropped > 0.4
    with pytest.warns(UserWarning, match=r"drop_rate=0\.5\) comes .* also with literal") as told:
        warn_if_not_affine(made, images())
    assert len(told) == 1


def test_dropout_in_the_classifier_is_a_warning_with_advice():
    made = timm.create_model("levit_128s", num_classes=5, drop_rate=0.2, **LEVIT).train()
    with pytest.warns(UserWarning, match="dropout in its classifier comes before .* literal") as told:
        warn_if_not_affine(made, images(6, 96))
    assert len(told) == 1


def test_classifiers_in_lists_are_found():
    """efficientvim has a classifier for each scale and each of two heads, as a pair of lists of modules."""
    made, bent = model(name="efficientvim_m1_dist"), model(name="efficientvim_m1_dist")
    assert len(classifiers(made)) == 8
    assert affine_error(made.eval(), images(6, 70)) < 1e-3
    for part in classifiers(bent):
        part.register_forward_hook(lambda _, args, out: out.relu())
    assert affine_error(bent.eval(), images(6, 70)) > 1e-3


@pytest.mark.parametrize("spec", ["mixup", "none", "multimix(p=1, literal=True)"])
def test_other_readings_are_not_looked_at(spec):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixTask(Named(HEADS["cosine"]()), spec).train()(images(6, 16), LABELS % 4)


def test_the_warning_is_given_once():
    task = MixTask(Named(HEADS["cosine"]()), "multimix(p=1)").train()
    with pytest.warns(UserWarning, match="is not an affine map"):
        task(images(6, 16), LABELS % 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task(images(6, 16), LABELS % 4)


def test_the_probe_leaves_no_trace():
    made = model(drop_rate=0.3, drop_path_rate=0.3).train()
    made.layer1.eval()
    state = {key: value.clone() for key, value in made.state_dict().items()}
    modes = [module.training for module in made.modules()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert affine_error(made, images()) < 1e-3
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in made.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in made.state_dict().items())
    assert not made.get_classifier()._forward_pre_hooks
    assert all(parameter.grad is None for parameter in made.parameters())


def test_models_that_cannot_be_probed_get_no_warning():
    assert affine_error(SmallNet(), images(6, 16)) is None
    assert affine_error(Named(nn.Linear(6, 4)), images(1, 16)) is None
    constant = nn.Linear(6, 4)
    nn.init.zeros_(constant.weight)
    assert affine_error(Named(constant), images(6, 16)) is None
