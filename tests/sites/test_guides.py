"""Guides: their values, their cost of one pass, and that they do not change the training step."""

import copy

import pytest
import timm
import torch
from torch import nn

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.sites.eval_mode import undisturbed
from timm_multimix.sites.guides import compute_guide
from timm_multimix.sites.positions import dense_forward

LABELS = torch.tensor([0, 1, 2, 3, 1])
BY_GUIDE = {
    "gradient": "saliencymix(saliency='gradient')",
    "features": "attentivemix(grid=4)",
    "activation": "tokenmix",
    "evidence": "snapmix",
}
every_guide = pytest.mark.parametrize("guide", BY_GUIDE)


def images(b=5, side=8):
    return torch.rand(b, 3, side, side, generator=torch.Generator().manual_seed(1))


def normed():
    """A network with all that a pass could disturb: running statistics, dropout."""
    torch.manual_seed(0)
    model = SmallNet()
    model.body = nn.Sequential(model.body, nn.BatchNorm2d(6), nn.Dropout(0.3))
    return model.train()


@pytest.mark.parametrize("criterion", ["softmax", "sigmoid", "mse", nn.CrossEntropyLoss(label_smoothing=0.1)])
def test_input_gradient_is_each_examples_own(criterion):
    model = normed()
    gradient = compute_guide("gradient", model, images(), LABELS, criterion)
    model.eval()
    for i in range(5):
        one = images()[i : i + 1].requires_grad_()
        F.soft_loss(model(one), F.soft_targets(LABELS[i : i + 1], 4), criterion).backward()
        torch.testing.assert_close(gradient[i], one.grad[0])


def test_input_gradient_against_finite_differences():
    model = SmallNet().double()
    gradient = compute_guide("gradient", model, images().double(), LABELS)
    for place in ((0, 0, 0, 0), (2, 1, 3, 4), (4, 2, 7, 7)):
        losses = []
        for step in (1e-5, -1e-5):
            moved = images().double()
            moved[place] += step
            losses.append(5 * nn.functional.cross_entropy(model(moved), LABELS))
        assert gradient[place].item() == pytest.approx((losses[0] - losses[1]).item() / 2e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "swin_tiny_patch4_window7_224", "pit_ti_224"])
def test_feature_map_is_the_last_features_on_their_grid(name):
    options = {} if name == "test_resnet" else {"img_size": 64}
    model = timm.create_model(name, num_classes=4, **options).eval()
    x = images(2, 64)
    found = compute_guide("features", model, x, LABELS[:2])
    if name == "pit_ti_224":
        features = model.norm(model.forward_intermediates(x, intermediates_only=True)[-1].flatten(2).mT)
        expected = features.mT.unflatten(2, (4, 4)) if features.shape[1] == 16 else None
        assert found.shape[-2] == found.shape[-1]
        if expected is not None:
            torch.testing.assert_close(found, expected)
        return
    features = model.forward_features(x)
    expected = {
        "test_resnet": lambda: features,
        "test_vit": lambda: features[:, 1:].mT.unflatten(2, (4, 4)),
        "swin_tiny_patch4_window7_224": lambda: features.permute(0, 3, 1, 2),
    }[name]()
    torch.testing.assert_close(found, expected)


def test_feature_map_of_images_that_are_not_square():
    model = timm.create_model("test_vit", num_classes=4, img_size=(32, 96)).eval()
    x = torch.rand(2, 3, 32, 96)
    expected = model.forward_features(x)[:, 1:].mT.unflatten(2, (2, 6))
    torch.testing.assert_close(compute_guide("features", model, x, LABELS[:2]), expected)


@pytest.mark.parametrize("soft", [False, True])
def test_class_activation_is_the_probability_of_the_own_class_at_every_position(soft):
    model = normed()
    labels = torch.tensor([[0.25, 0.75, 0, 0]]).expand(5, 4) if soft else LABELS
    found = compute_guide("activation", model, images(), labels)
    maps = model.eval().forward_features(images())
    for i in range(5):
        for row in range(2):
            for column in range(2):
                probabilities = model.head(maps[i, :, row, column]).softmax(-1)
                own = 0.25 * probabilities[0] + 0.75 * probabilities[1] if soft else probabilities[LABELS[i]]
                torch.testing.assert_close(found[i, row, column], own)


def test_class_evidence_is_the_logit_of_the_own_class_at_every_position():
    torch.manual_seed(0)
    model = SmallNet()
    found = compute_guide("evidence", model, images(), LABELS)
    features = model.forward_features(images())
    for i in range(5):
        for r in range(2):
            for c in range(2):
                torch.testing.assert_close(found[i, r, c], model.head(features[i, :, r, c])[LABELS[i]])


def test_class_activation_leaves_class_tokens_out():
    model = small_vit().eval()
    dense = dense_forward(model, images())
    assert dense.class_tokens
    expected = dense.positions[:4].softmax(-1)[:, torch.arange(5), LABELS].T.view(5, 2, 2)
    torch.testing.assert_close(compute_guide("activation", model, images(), LABELS), expected.detach())


@every_guide
def test_a_guide_leaves_no_trace(guide):
    """Same buffers, gradients, modes and random numbers as without it; parameters stay without gradient."""
    model, state = normed(), copy.deepcopy(normed().state_dict())
    model.stem.eval()
    torch.manual_seed(5)
    compute_guide(guide, model, images(), LABELS)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert [m.training for m in model.modules()] == [m is not model.stem for m in model.modules()]


def test_modes_return_after_an_error():
    model = normed()
    with undisturbed(model, torch.device("cpu")):
        assert not any(m.training for m in model.modules())
    with (
        pytest.raises(UsageError, match="must be a timm classifier"),
        undisturbed(model, torch.device("cpu")),
    ):
        compute_guide("features", nn.Linear(2, 2), images(), LABELS)
    assert all(m.training for m in model.modules())


@every_guide
def test_a_guide_costs_one_forward_and_at_most_one_backward(guide):
    """In addition to the training pass: one more run of the stem, and one backward if needed."""
    model = normed()
    forwards, backwards = [], []
    model.stem.register_forward_hook(lambda *_: forwards.append(1))
    model.stem.register_full_backward_hook(lambda *_: backwards.append(1))
    task = MixTask(model, BY_GUIDE[guide]).train()
    task(images(), LABELS)
    forwards.clear()
    task(images(), LABELS)["loss"].backward()
    assert len(forwards) == 2
    # Full backward hooks fire for the gradient of the input too.
    assert len(backwards) == (1 + 2 if guide == "gradient" else 1)


def test_unguided_mixers_cost_no_pass():
    model, forwards = normed(), []
    model.stem.register_forward_hook(lambda *_: forwards.append(1))
    for mix in ("mixup", "saliencymix", "cutmix", "alignmixup(p=1)"):
        MixTask(model, mix).train()(images(), LABELS)
    assert len(forwards) == 4


@every_guide
def test_the_step_is_that_of_the_same_draw_without_a_guide(guide):
    """The gradients and statistics of the training pass on the mixed images, and of nothing else."""
    ours, theirs = normed(), normed()
    task = MixTask(ours, BY_GUIDE[guide]).train()
    seen = []
    ours.stem.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    torch.manual_seed(7)
    out = task(images(), LABELS)
    out["loss"].backward()
    torch.manual_seed(7)
    logits = theirs(seen[-1])
    F.soft_loss(logits, out["target"]).backward()
    torch.testing.assert_close(out["output"], logits)
    for ours_p, theirs_p in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_p.grad, theirs_p.grad)
    for ours_b, theirs_b in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(ours_b, theirs_b)


@every_guide
def test_accumulated_gradients_are_sums(guide):
    """Two micro-batches accumulate the sum of their gradients: the second one's guide adds nothing."""
    parts = [(images()[:3], LABELS[:3]), (images()[2:], LABELS[2:])]

    def gradients(accumulate):
        model, sums = normed(), 0
        model.body[2].p = 0.0
        task = MixTask(model, BY_GUIDE[guide]).train()
        for part in parts:
            task(*part)["loss"].backward()
            if not accumulate:
                sums = sums + torch.cat([p.grad.flatten() for p in model.parameters()])
                model.zero_grad()
        return torch.cat([p.grad.flatten() for p in model.parameters()]) if accumulate else sums

    torch.testing.assert_close(gradients(True), gradients(False))


@every_guide
@pytest.mark.parametrize("frozen", [False, True])
def test_autocast_still_trains_every_parameter(guide, frozen):
    """Casts of parameters made without gradient in the guide's pass must not serve the training pass."""
    model = normed()
    if frozen:
        model.stem.requires_grad_(False)
    task = MixTask(model, BY_GUIDE[guide]).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = task(images(), LABELS)["loss"]
    loss.backward()
    for name, p in model.named_parameters():
        assert (p.grad is None) if frozen and name.startswith("stem") else p.grad.isfinite().all()
    assert model.head.weight.grad.norm() > 0


@every_guide
def test_under_no_grad_too(guide):
    """A loop may compute the training loss without gradients; the input gradient is still computed."""
    with torch.no_grad():
        out = MixTask(normed(), BY_GUIDE[guide]).train()(images(), LABELS)
    assert out["loss"].isfinite()


@pytest.mark.parametrize("spec", [*BY_GUIDE.values(), "transmix", "puzzlemix", "alignmixup(p=1)"])
def test_gradient_checkpointing_changes_nothing(spec):
    losses, gradients = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = timm.create_model("test_vit", num_classes=5, img_size=32)
        model.set_grad_checkpointing(checkpointing)
        loss = MixTask(model, spec).train()(images(5, 32), LABELS)["loss"]
        loss.backward()
        losses.append(loss)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("spec", [*BY_GUIDE.values(), "transmix", "puzzlemix", "alignmixup(p=1)"])
def test_compiled_models_give_the_same(spec):
    torch._dynamo.reset()
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = torch.compile(small_vit(), backend="aot_eager") if compiled else small_vit()
        task = MixTask(model, spec).train()
        losses.append([task(images(), LABELS)["loss"] for _ in range(2)])
        losses[-1][-1].backward()
    torch.testing.assert_close(*losses)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [*BY_GUIDE.values(), "transmix", "puzzlemix", "alignmixup(p=1)"])
def test_a_compiled_task_gives_the_same(spec):
    torch._dynamo.reset()
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        task = MixTask(small_vit(), spec).train()
        step = torch.compile(task, backend="aot_eager") if compiled else task
        losses.append([step(images(), LABELS)["loss"] for _ in range(2)])
    torch.testing.assert_close(*losses)


def test_a_single_position_is_an_error_that_says_so():
    model = timm.create_model("test_resnet", num_classes=5)
    for spec in ("attentivemix", "tokenmix"):
        with pytest.raises(
            UsageError,
            match=r"ResNet has no map of positions .* 32 x 32; .* larger images or .* a transformer",
        ):
            MixTask(model, spec).train()(images(5, 32), LABELS)


def test_other_models_are_an_error_that_says_so():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    for spec in ("attentivemix", "alignmixup(p=1)"):
        with pytest.raises(UsageError, match="must be a timm classifier"):
            MixTask(plain, spec).train()(images(), LABELS)
    assert MixTask(plain, "saliencymix(saliency='gradient')").train()(images(), LABELS)["loss"].isfinite()


def test_the_gradient_of_images_that_the_model_fits_is_seen_in_half_precision():
    """As under autocast on a GPU: float16 has no numbers below 6e-8."""
    network = timm.create_model("test_resnet", num_classes=4).eval()
    network.get_classifier().bias.data[0] = 11
    x, labels = images(2, 64), torch.zeros(2, dtype=torch.long)
    exact = compute_guide("gradient", network, x, labels)
    with torch.autocast("cpu", torch.float16):
        half = compute_guide("gradient", network, x, labels)
    assert torch.cosine_similarity(half.flatten(), exact.flatten(), dim=0) > 0.99
    torch.testing.assert_close(half.norm(), exact.norm(), rtol=0.05, atol=0)
