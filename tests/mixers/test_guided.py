"""Guided mixers through MixTask, in specs, and in the place of timm.data.Mixup."""

import pytest
import timm
import torch
from torch import nn

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.functional import HardPairs
from timm_multimix.mixers.mixer import Shown

SPECS = [
    "saliencymix",
    "saliencymix(saliency='gradient', per_sample=True)",
    "attentivemix",
    "puzzlemix",
    "puzzlemix(labels=2, transport=False, grid=4)",
    "co_mixup",
    "co_mixup(halves=False, resolve=False, partition=3)",
    "alignmixup",
    "alignmixup(p=1)",
    "transmix",
    "transmix(area=0.5, per_sample=True)",
    "tokenmix",
    "guided_mixup",
    "guided_mixup(saliency='gradient')",
    "snapmix",
    "smmix",
    "mixpro",
]
NEED_ATTENTION = ("transmix", "smmix", "mixpro")
IN_THE_MODEL = [
    spec
    for spec in SPECS
    if spec not in ("saliencymix", "guided_mixup") and not spec.startswith("alignmixup")
]


def batch(b=5, side=8, channels=3):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(b, channels, side, side, generator=generator), torch.arange(b) % 4


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_training_step_of_timms_models(name, spec):
    if spec.startswith(NEED_ATTENTION) and name == "test_resnet":
        pytest.skip("no attention: an error, see tests/sites/test_attention.py")
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=4, **({"img_size": 96} if "vit" in name else {}))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    task = MixTask(model, spec, smoothing=0.1).train()
    for _ in range(2):
        out = task(*batch(side=96))
        optimizer.zero_grad()
        out["loss"].backward()
        optimizer.step()
        assert out["loss"].isfinite()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("spec", IN_THE_MODEL)
def test_as_a_drop_in_they_say_what_to_use(spec):
    with pytest.raises(UsageError, match=r"\w+ is guided by the model: use MixTask"):
        create_mixer(spec)(*batch())


def test_alignmixup_as_a_drop_in_says_what_to_use():
    with pytest.raises(UsageError, match="alignmixup must mix at 'input', got place 'features': use MixTask"):
        create_mixer("alignmixup")(*batch())


@pytest.mark.filterwarnings("ignore:.*no spatial feature map")
def test_alignmixup_of_one_position_mixes_it_as_a_pair():
    """A network that halves 32 pixels five times: the plan is 1, and an affine head mixes logits the same."""
    model = timm.create_model("test_resnet", num_classes=4)
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = MixTask(model, "alignmixup(p=1)")(images, torch.arange(4))
    assert (found["target"] > 0).sum() > 4  # examples are mixed
    torch.testing.assert_close(found["output"], found["target"] @ model(images))


def test_saliencymix_needs_no_model_as_a_drop_in():
    images, labels = batch(side=16)
    mixed, soft = create_mixer("saliencymix", num_classes=4)(images, labels)
    assert mixed.shape == images.shape
    torch.testing.assert_close(soft.sum(1), torch.ones(5))
    assert not torch.equal(mixed, images)


def test_chosen_for_every_example_they_get_their_guides():
    spec = "per_sample(puzzlemix | 0.5*saliencymix(saliency='gradient') | attentivemix(grid=4) | cutmix)"
    mixer = create_mixer(spec).branches[0][1].mixer
    assert mixer.guides == ("gradient", "features")
    out = MixTask(SmallNet(), spec).train()(*batch())
    out["loss"].backward()
    assert out["loss"].isfinite()
    with pytest.raises(UsageError, match="guided by the model"):
        create_mixer(spec)(*batch())


def test_labels_of_the_pass_cannot_be_chosen_for_every_example():
    with pytest.raises(UsageError, match="got transmix, whose labels come from the pass"):
        create_mixer("per_sample(transmix | cutmix)")


def test_chosen_for_every_batch_only_the_chosen_costs():
    model, forwards = small_vit(), []
    model.patch_embed.register_forward_hook(lambda *_: forwards.append(1))
    task = MixTask(model, "mixup | puzzlemix").train()
    for _ in range(20):
        task(*batch())
    assert 20 < len(forwards) < 40


@pytest.mark.parametrize("spec", ["saliencymix(saliency='gradient')", "puzzlemix", "alignmixup", "transmix"])
def test_hard_labels_through_the_pair_form(spec):
    """A criterion of class indices: the loss is that of soft targets, in which cross-entropy is linear."""
    losses = []
    for criterion in ("softmax", HardPairs(nn.CrossEntropyLoss(reduction="none"))):
        torch.manual_seed(0)
        losses.append(MixTask(small_vit(), spec, criterion=criterion).train()(*batch())["loss"])
    torch.testing.assert_close(*losses)


def test_multi_label_and_regression_targets():
    images, _ = batch()
    many = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]])
    for spec in ("saliencymix(saliency='gradient')", "puzzlemix", "co_mixup", "tokenmix", "transmix"):
        for criterion in ("sigmoid", "mse"):
            out = MixTask(small_vit(), spec, criterion=criterion).train()(images, many)
            out["loss"].backward()
            assert out["loss"].isfinite()


def test_any_number_of_channels_and_sizes():
    for channels in (1, 4):
        model = timm.create_model("test_resnet", num_classes=4, in_chans=channels)
        for spec in ("saliencymix", "puzzlemix", "attentivemix", "alignmixup(p=1)", "tokenmix"):
            images = torch.rand(3, channels, 96, 64)
            assert MixTask(model, spec).train()(images, torch.arange(3))["loss"].isfinite()


def test_images_of_bytes_are_mixed_as_numbers():
    images = (255 * batch()[0]).to(torch.uint8)
    for spec in ("saliencymix", "saliencymix(saliency='gradient')", "puzzlemix"):
        assert MixTask(SmallNet(), spec).train()(images, batch()[1])["loss"].isfinite()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("saliencymix(saliency='opencv')", "one of spectral, gradient"),
        ("attentivemix(top_k=50)", "top_k must be 1 to 49"),
        ("attentivemix(top_k=0)", "integer of at least 1"),
        ("puzzlemix(labels=1)", "at least 2"),
        ("puzzlemix(grid=0)", "integer of at least 1"),
        ("co_mixup(omega=2)", "number from 0 to 1"),
        ("co_mixup(partition=0)", "integer of at least 1"),
        ("co_mixup(halves=1)", "must be True or False"),
        ("per_sample(co_mixup | cutmix)", "one row for each example, got co_mixup"),
        ("alignmixup(epsilon=0)", "must be a positive number"),
        ("transmix(area=2)", "number from 0 to 1"),
        ("tokenmix(ratio=-1)", "number from 0 to 1"),
        ("tokenmix(min_tokens=1.5)", "integer of at least 1"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(spec, message):
    with pytest.raises(UsageError, match=message):
        create_mixer(spec)


def test_images_that_no_grid_divides_are_a_usage_error():
    with pytest.raises(UsageError, match="images must have even sides for puzzlemix, got 9 x 9"):
        MixTask(SmallNet(), "puzzlemix").train()(*batch(side=9))
    with pytest.raises(
        UsageError, match="grid of co_mixup must divide both sides of images of 10 x 10, got 4"
    ):
        MixTask(SmallNet(), "co_mixup").train()(*batch(side=10))
    with pytest.raises(UsageError, match="grid must be at most 6 for images of 6 x 6, got 7"):
        MixTask(SmallNet(), "attentivemix").train()(*batch(side=6))


def test_by_default_transmix_averages_with_the_area_as_its_authors_code_does():
    draw = F.cutmix.draw(torch.zeros(6, 3, 12, 12), per_sample=True)
    attention = torch.rand(6, 4, 4)
    by_attention = F.attended(draw, attention, 0.0).lam
    for spec, expected in (("transmix", (by_attention + draw.lam) / 2), ("transmix(area=0)", by_attention)):
        ((_, step),) = create_mixer(spec).branches
        mixer = step.mixer
        shown = Shown(attention, torch.zeros(6, 4), None)
        torch.testing.assert_close(mixer.complete(draw, shown).lam, expected)
