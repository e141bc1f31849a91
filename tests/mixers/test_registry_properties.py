"""Properties of every registered mixer; a new one is tested here as soon as it is registered."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from tests.networks import SmallNet, small_vit
from timm_multimix import MixTask, create_mixer, list_mixers
from timm_multimix.mixers import Context


def pure(name):
    """The mixer itself, without the branch of its paper's recipe, and with targets that add up to one."""
    if name in ("tokenmix", "snapmix"):
        return f"{name}(normalize=True)"
    halves = ("multimix", "dense_multimix", "alignmixup", "catch_up_mix")
    return f"{name}(p=1)" if name in halves else name


def network(name):
    return small_vit() if name in ("transmix", "smmix", "mixpro") else SmallNet()


def task(name, **options):
    torch.manual_seed(0)
    return MixTask(network(name), pure(name), **options).train()


def batch(b=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(b, 3, 8, 8, generator=generator).to(dtype), torch.randint(4, (b,), generator=generator)


@pytest.fixture(params=list_mixers())
def name(request):
    return request.param


@pytest.mark.parametrize("b", [1, 2, 5])
@pytest.mark.parametrize("criterion", ["softmax", "sigmoid", "mse"])
def test_any_batch_gives_a_finite_loss_and_gradients(name, b, criterion):
    mixing = task(name, criterion=criterion)
    out = mixing(*batch(b))
    out["loss"].backward()
    assert out["loss"].dim() == 0
    assert out["loss"].isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in mixing.trainable_module.parameters())


def test_targets_are_distributions_for_every_output(name):
    for smoothing in (0.0, 0.2):
        out = task(name, smoothing=smoothing)(*batch())
        assert out["target"].shape == out["output"].shape
        assert out["target"].sum(-1).tolist() == pytest.approx([1.0] * len(out["target"]), abs=1e-5)
        assert (out["target"] >= 0).all()


def test_inputs_are_left_as_they_were(name):
    images, labels = batch()
    copies = images.clone(), labels.clone()
    task(name)(images, labels)
    assert torch.equal(images, copies[0])
    assert torch.equal(labels, copies[1])


def test_a_step_is_a_function_of_seed_and_step(name):
    def losses(seed, start=0):
        mixing = task(name, seed=seed)
        mixing.step = start
        return [mixing(*batch())["loss"].item() for _ in range(3)]

    torch.rand(17)
    assert losses(0) == losses(0)
    assert losses(0)[1:] == losses(0, start=1)[:2]
    # GuidedMixup has nothing to draw: its pairs follow from the images.
    if name not in ("none", "guided_mixup"):
        assert losses(0) != losses(1)
        assert len(set(losses(0))) > 1


def test_no_mixing_in_eval_mode(name):
    mixing = task(name, smoothing=0.1, distill=0.5, teacher="self").eval()
    images, labels = batch()
    out = mixing(images, labels)
    torch.testing.assert_close(out["output"], mixing.trainable_module(images))
    torch.testing.assert_close(out["loss"], nn.functional.cross_entropy(out["output"], labels))
    assert mixing.step == 0


def test_soft_labels_that_are_one_hot_equal_class_indices(name):
    images, labels = batch()
    hot = nn.functional.one_hot(labels, 4).float()
    torch.testing.assert_close(task(name)(images, labels)["loss"], task(name)(images, hot)["loss"])


@pytest.mark.parametrize("teacher", ["ema", "self", "module"])
@pytest.mark.parametrize("criterion", ["softmax", "mse"])
def test_every_teacher_works(name, teacher, criterion):
    torch.manual_seed(3)
    given = network(name) if teacher == "module" else teacher
    mixing = task(name, distill=0.5, teacher=given, criterion=criterion)
    losses = []
    for step in range(2):
        out = mixing(*batch())
        out["loss"].backward()
        mixing.update_ema(step)
        losses.append(out["loss"].item())
    plain = task(name, criterion=criterion)
    assert all(map(math.isfinite, losses))
    assert losses[0] != pytest.approx(plain(*batch())["loss"].item(), rel=1e-6)
    assert out["target"].sum(-1).isfinite().all()


@pytest.mark.parametrize("place", ["input", "hidden", "embedding", "positions"])
@pytest.mark.parametrize("name", ["mixup", "sample_pairing", "multimix", "zeta_mixup", "multi_mixup"])
def test_the_place_is_an_argument(name, place):
    rows = {"multimix": ", n=7, m=2, p=1", "multi_mixup": ", k=3"}
    arguments = f"place={place!r}" + rows.get(name, "")
    torch.manual_seed(0)
    mixing = MixTask(SmallNet(), f"{name}({arguments})").train()
    for _ in range(4):
        out = mixing(*batch())
        out["loss"].backward()
        assert out["loss"].isfinite()
        inside = place in ("input", "hidden")
        assert len(out["output"]) == ({"multimix": 7, "multi_mixup": 15}.get(name, 5) if inside else 5)


def test_whole_batch_mixing_of_images_is_not_offered_silently():
    with pytest.warns(UserWarning, match="collapses"):
        create_mixer("multimix(place='input')")


# Mixers that move what they mix to other pixels: there the hull is that of all pixels.
MOVING = {"resizemix", "puzzlemix", "snapmix", "smmix"}


def test_draws_keep_dtype_device_and_convex_hull(name):
    mixer = create_mixer(pure(name)).branches[0][1].mixer
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        images, _ = batch(dtype=dtype)
        positions = images.flatten(2)[:, 0].unsqueeze(-1)
        sites = {"positions": positions.transpose(0, 1), "features": images.flatten(2).transpose(1, 2)}
        x = sites.get(mixer.place, images)
        guides = {"gradient": torch.rand(5, 3, 8, 8), "features": torch.rand(5, 6, 2, 2)}
        guides |= {name: torch.rand(5, 2, 2) for name in ("activation", "evidence", "received")}
        guides |= {"attention": torch.rand(64, 5)}
        context = Context(torch.Generator().manual_seed(0), torch.arange(5) % 4, **guides)
        mixed = mixer.sample(x, context)(x)
        assert mixed.dtype == dtype
        assert mixed.device == x.device
        batch_dim = 1 if mixer.place == "positions" else 0
        dims = (0, 2, 3) if name in MOVING else (0, 1) if mixer.place == "features" else (batch_dim,)
        low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
        slack = 0.02 if dtype == torch.bfloat16 else 1e-6
        assert ((mixed >= low - slack) & (mixed <= high + slack)).all()


def test_on_mixed_precision(name):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = task(name)(*batch())
    out["loss"].backward()
    assert out["loss"].dtype == torch.float32
    assert out["loss"].isfinite()
    reference = task(name)(*batch())["loss"]
    assert out["loss"].item() == pytest.approx(reference.item(), rel=0.05)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_draws_do_not_depend_on_the_default_dtype(name, dtype):
    mixing, given = task(name), batch()
    with default_dtype(dtype):
        out = mixing(*given)
    expected = task(name)(*batch())
    assert torch.equal(out["loss"], expected["loss"])
    assert torch.equal(out["target"], expected["target"])


def test_a_network_in_float64_is_trained_with_the_same_draws(name):
    images, labels = batch()
    with default_dtype(torch.float64):
        mixing = task(name).double()
        loss = mixing(images.double(), labels)["loss"]
    reference = task(name)
    reference.trainable_module.load_state_dict(mixing.trainable_module.state_dict())
    torch.testing.assert_close(loss.float(), reference(images, labels)["loss"], rtol=1e-4, atol=1e-5)
