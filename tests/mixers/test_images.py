"""Entry points of the unguided mixers: defaults, cards, mistakes, rows, compilation, no waiting."""

import inspect
import re

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from tests.networks import SmallNet
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Context, describe
from timm_multimix.mixers.registry import _entry_points

NAMES = ["resizemix", "fmix", "gridmix", "smoothmix", "zeta_mixup", "multi_mixup"]
MASKS = NAMES[:4]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small_task(mix, **options):
    torch.manual_seed(0)
    return MixTask(SmallNet(), mix, **options).train()


def batch(b=5, size=(8, 8), seed=1):
    return torch.rand(b, 3, *size, generator=generator(seed)), torch.arange(b) % 4


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_points_arguments_are_the_functions(name):
    """The same names, defaults and order; the entry point adds the place."""
    ours = inspect.signature(_entry_points[name]).parameters
    theirs = inspect.signature(getattr(F, name).draw).parameters
    shared = [key for key in theirs if key not in ("x", "generator")]
    assert [key for key in ours if key not in ("place", "layers")] == shared
    assert [ours[key].default for key in shared] == [theirs[key].default for key in shared]


@pytest.mark.parametrize("name", NAMES)
def test_the_spec_draws_as_the_function_does(name):
    images, labels = batch()
    mixer = create_mixer(name, num_classes=4)
    chosen = mixer.branches[0][1].mixer
    expected, _ = getattr(F, name)(images, generator=generator(3))
    sampled = chosen.sample(images, Context(generator(3)))
    torch.testing.assert_close(sampled(images), expected, rtol=0, atol=0)
    mixed, soft = mixer(images, labels)
    assert len(mixed) == len(soft) == len(expected)
    torch.testing.assert_close(soft.sum(1), torch.ones(len(soft)))


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_card_of_a_line_and_a_paragraph(name):
    card = inspect.getdoc(_entry_points[name])
    line, _, body = card.partition("\n\n")
    assert "\n" not in line
    assert line == describe(name)
    assert _entry_points[name].paper.title
    body = re.split(r"\n\n(?:Args|Raises):", body)[0]
    assert "\n\n" not in body
    assert 40 <= len(body.split()) <= 110
    assert re.search(r"\bcosts?\b|multiplications", body)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("resizemix(tau=0.5)", r"tau must be a pair \(low, high\) with 0 <= low <= high <= 1, got 0.5"),
        ("resizemix(tau=(0.5, 1.5))", r"got \(0.5, 1.5\)"),
        ("resizemix(tau=(-0.1, 0.5))", "0 <= low"),
        ("resizemix(tau=('a', 'b'))", "must be a pair"),
        ("resizemix(place='embedding')", "one of input, hidden, got"),
        ("fmix(alpha=-1)", "alpha must be .* got -1"),
        ("fmix(decay='x')", "decay must be .* got 'x'"),
        ("gridmix(cells=0)", "cells must be .* got 0"),
        ("gridmix(cells=2.5)", "cells must be .* got 2.5"),
        ("smoothmix(sigma=(0.3, 0.2))", "0 < low <= high"),
        ("smoothmix(sigma=(0.3, 1e999))", "inf"),
        ("smoothmix(shape='star')", "one of circle, square"),
        ("smoothmix(per_sample=1)", "must be True or False"),
        ("zeta_mixup(gamma=-1)", "gamma must be .* got -1"),
        ("zeta_mixup(per_sample=True)", "its arguments are: gamma, place, layers"),
        ("multi_mixup(k=0)", "k must be .* got 0"),
        ("multi_mixup(place='head')", "one of input, hidden, embedding, positions"),
    ],
)
def test_what_is_said_of_mistakes(spec, said):
    with pytest.raises(UsageError, match=said) as error:
        create_mixer(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*MASKS, "cutmix"])
def test_data_that_a_mask_cannot_take_is_the_users_mistake(name):
    task = MixTask(torch.nn.Linear(7, 3), name).train()
    with pytest.raises(UsageError, match=rf"{name} must be given images or feature maps .* got \[4, 7\]"):
        task(torch.rand(4, 7), torch.arange(4) % 3)


@pytest.mark.parametrize("options", ["", ", per_sample=True"])
@pytest.mark.parametrize("name", MASKS)
def test_masks_mix_feature_maps(name, options):
    task = small_task(f"{name}(place='hidden', layers=1{options})")
    for b in (1, 5):
        out = task(*batch(b, (9, 14)))
        out["loss"].backward()
        assert len(out["output"]) == b
    assert task.trainable_module.stem.weight.grad.isfinite().all()


@pytest.mark.parametrize("where", ["place='input'", "place='hidden', layers=1"])
def test_multi_mixup_trains_on_k_rows_for_each_example(where):
    """The mean over its rows, with every teacher and for blended targets."""
    for options in ({}, {"distill": 0.5, "teacher": "self"}, {"distill": 0.5, "teacher": SmallNet()}):
        task = small_task(f"multi_mixup(k=3, {where})", **options)
        out = task(*batch())
        assert out["output"].shape == out["target"].shape == (15, 4)
        torch.testing.assert_close(out["loss"], F.soft_loss(out["output"], out["target"]))


def test_multi_mixup_at_the_embedding_is_the_loss_of_the_mixed_logits():
    images, labels = batch()
    task = small_task("multi_mixup(k=4, place='embedding')")
    out = task(images, labels)
    logits = task.trainable_module(images)
    small_task("none")
    draw = task.mixture.branches[0][1].mixer.sample(logits, Context(_generator_of_step(task, 0)))
    expected = F.soft_loss(draw(logits), draw.targets(F.soft_targets(labels, 4)))
    assert len(out["output"]) == 5
    torch.testing.assert_close(out["loss"], expected)


def _generator_of_step(task, step):
    task.step = step
    return task._generator(torch.empty(0))


@pytest.mark.parametrize(
    "name",
    ["smoothmix"]
    + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in (*NAMES, "per_sample(mixup | resizemix | none)")
        if name != "smoothmix"
    ],
)
def test_later_steps_do_not_compile_again(name):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    step = torch.compile(small_task(name), backend=counter)
    graphs, losses = [], []
    for seed in range(6):
        loss = step(*batch(4, seed=seed))["loss"]
        loss.backward()
        losses.append(loss.item())
        graphs.append(counter.frame_count)
    assert 0 < graphs[1] == graphs[-1]
    eager = small_task(name)
    expected = [eager(*batch(4, seed=seed))["loss"].item() for seed in range(6)]
    assert losses == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", [*NAMES, "per_sample(mixup | cutmix | resizemix | fmix | none)"])
def test_drawing_does_not_synchronize(name):
    """A tensor without data has no `.item()`, and no shape can depend on its values."""
    mixer = create_mixer(name).branches[0][1].mixer
    with FakeTensorMode():
        images = torch.rand(4, 3, 9, 12)
        draw = mixer.sample(images, Context(torch.Generator()))
        assert draw(images).shape[1:] == (3, 9, 12)
        assert draw.targets(torch.rand(4, 7)).shape[1:] == (7,)
        with pytest.raises(DataDependentOutputException):
            images.sum().item()
