"""The data of previews: weights recovered from draws, effective numbers, densities."""

import numpy as np
import pytest
import timm
import torch
from scipy.stats import beta

from timm_multimix import functional as F
from timm_multimix import list_mixers
from timm_multimix.errors import UsageError
from timm_multimix.evaluation.classifier import Classifier
from timm_multimix.mixers import Mixer, Step, create_mixer
from timm_multimix.previews.density import Density, densities
from timm_multimix.previews.draws import (
    Sample,
    effective_number,
    make_draws,
    make_sample,
    most_in,
    needs_model,
    pixel_weights,
)
from timm_multimix.previews.examples import Examples
from timm_multimix.previews.panels import Panel, make_panels
from timm_multimix.randomness import choice_generator, draw_generator
from timm_multimix.sites.student import Student

B, CLASSES, CPU = 6, 4, torch.device("cpu")


def only_step(spec: str) -> Step:
    ((_, step),) = create_mixer(spec).branches
    return step


def only(spec: str) -> Mixer:
    return only_step(spec).mixer


def sample_of(spec: str, examples: Examples, step: int = 0) -> tuple[Sample, F.Draw]:
    """The row that is shown of a step, out of four, and its draw."""
    (draw,) = make_draws(only_step(spec), examples, 0, step)
    return make_sample(only(spec), draw, examples, step, 4), draw


def panel_of(spec: str, examples: Examples, count: int) -> Panel:
    (panel,) = make_panels(create_mixer(spec).branches, examples, count, 0)
    return panel


def make_examples(model: str | None = None, side: int = 32, b: int = B) -> Examples:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(b, 3, side, side, generator=generator)
    labels = torch.arange(b) % CLASSES
    names = [f"class {number}" for number in range(CLASSES)]
    if model is None:
        return Examples(pixels, labels, names)
    torch.manual_seed(0)
    network = timm.create_model(model, num_classes=CLASSES)
    config = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "input_size": (3, side, side)}
    return Examples(pixels, labels, names, Classifier(network, config, None), labels)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return make_examples()


@pytest.fixture(scope="module")
def seen() -> Examples:
    """With a transformer, which has every guide."""
    return make_examples("test_vit", 160)


UNGUIDED = [
    name
    for name in list_mixers()
    if not any(needs_model(step.mixer) for _, step in create_mixer(name).branches)
]
# Catch-up Mix takes whole channels, of which images have three: too few to show its shares.
AT_THE_INPUT = [
    name
    for name in UNGUIDED
    if create_mixer(name).branches[0][1].mixer.place in ("input", "hidden") and name != "catch_up_mix"
]


@pytest.mark.parametrize("spec", [*AT_THE_INPUT, "per_sample(mixup | cutmix)"])
@pytest.mark.parametrize("step", [0, 3])
def test_weights_recovered_from_a_draw_reproduce_the_mix(spec, step, examples) -> None:
    """Unless pixels are moved, the images weighted by the recovered weights are the mix."""
    sample, draw = sample_of(spec, examples, step)
    assert sample.weights.sum().item() == pytest.approx(1, abs=1e-4)
    assert sample.share.shape == (32, 32)
    assert torch.allclose(sample.share.mean(), sample.weights[sample.sources[0]])
    draw_of_targets = sample.target
    if spec != "sample_pairing":
        assert torch.allclose(draw_of_targets, sample.weights, atol=2e-3)
    if spec in ("resizemix",):
        return
    weights = pixel_weights(draw, examples.pixels, step * len(draw.targets(torch.eye(B))) // 4)
    literal = (weights.unsqueeze(1) * examples.pixels).sum(0)
    assert torch.allclose(sample.image, literal, atol=1e-5)


def test_pixel_weights_of_a_mask_and_of_a_pair() -> None:
    pixels, partner = torch.rand(3, 3, 4, 4), torch.tensor([2, 0, 1])
    keep = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    keep[:, :, :1] = True
    weights = pixel_weights(F.Masks(keep, keep.float().mean((1, 2, 3)), partner), pixels, 1)
    assert torch.equal(weights[1], keep[1, 0].float())
    assert torch.equal(weights[0], 1 - weights[1])
    assert not weights[2].any()
    weights = pixel_weights(F.Pairs(torch.tensor([0.25]), partner), pixels, 0)
    assert torch.equal(weights.mean((1, 2)), torch.tensor([0.25, 0.0, 0.75]))


def test_resized_partners_are_found_in_their_box(examples) -> None:
    sample = sample_of("resizemix", examples)[0]
    inside = sample.share < 0.5
    assert torch.equal(sample.image[:, ~inside], examples.pixels[sample.sources[0]][:, ~inside])
    assert inside.float().mean().item() == pytest.approx(
        1 - sample.target[sample.sources[0]].item(), abs=1e-5
    )


@pytest.mark.parametrize(
    ("weights", "own", "own_first", "expected"),
    [
        ([0.3, 0.7, 0.0], 0, True, (0, 1)),
        ([0.0, 1.0, 0.0], 0, True, (0, 1)),
        ([1.0, 0.0, 0.0], 0, True, (0,)),
        ([0.1, 0.5, 0.4], 0, False, (1, 2)),
        ([0.1, 0.5, 0.4], 2, False, (2, 1)),
        ([0.2, 0.0, 0.8], 1, False, (2, 0)),
    ],
)
def test_sources_of_a_mix(weights, own, own_first, expected) -> None:
    assert most_in(torch.tensor(weights), own, own_first) == expected


def test_the_effective_number_of_examples() -> None:
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0], [0.5, 0.0, 0.0, 0.5]])
    assert effective_number(weights).tolist() == [4, 1, 2]


@pytest.mark.parametrize("name", [name for name in list_mixers() if name not in UNGUIDED])
def test_guided_mixers_need_a_model(name, examples, seen) -> None:
    branches = create_mixer(name).branches
    with pytest.raises(UsageError, match=f"{name} is guided by a model; give one with --model"):
        make_panels(branches, examples, 1, 0)
    for panel in make_panels(branches, seen, 2, 0):
        assert len(panel.samples) == 2 or panel.tuples


@pytest.mark.parametrize(
    "density", [Density(1, 1, 2), Density(0.5, 2, 8), Density(2, 2, 3), Density(0, 1, 4)]
)
def test_densities_integrate_to_one(density) -> None:
    """Near 0 and 1, where it may be unbounded, the mass is taken from the distribution function."""
    edges = np.linspace(0.01, 0.99, 5_001)
    x = (edges[1:] + edges[:-1]) / 2
    middles = (np.arange(64) + 0.5) / 64
    alphas = density.low + (density.high - density.low) * middles
    outside = 1 - np.diff(beta.cdf([0.01, 0.99], alphas[:, None], (density.m - 1) * alphas[:, None])).mean()
    assert density(x).sum() * (x[1] - x[0]) + outside == pytest.approx(1, abs=1e-3)


def test_density_agrees_with_drawn_weights() -> None:
    """The share of drawn weights in each tenth, against the density's, within five standard errors."""
    (density,) = densities(only("multimix(m=3, alpha=0.7, p=1)"), 8)
    assert density == Density(0.7, 0.7, 3)
    drawn = F.dirichlet_weights(20_000, 8, 0.7, 3, torch.Generator().manual_seed(0))
    first = drawn[torch.arange(len(drawn)), drawn.gt(0).float().argmax(1)].numpy()
    edges = np.linspace(0, 1, 11)
    expected = np.diff(beta.cdf(edges, 0.7, 1.4))
    found = np.histogram(first, edges)[0] / len(first)
    assert (abs(found - expected) < 5 * np.sqrt(expected / len(first)) + 1e-9).all()
    inside = np.linspace(0.1, 0.2, 10_001)
    assert density((inside[1:] + inside[:-1]) / 2).mean() * 0.1 == pytest.approx(expected[1], rel=1e-3)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mixup(alpha=0.3)", [Density(0.3, 0.3, 2)]),
        ("none", []),
        ("resizemix", []),
        ("per_sample(mixup(alpha=0.3) | cutmix | none)", [Density(0.3, 0.3, 2), Density(1, 1, 2)]),
        ("multimix(p=1)", [Density(0.5, 2, 8)]),
        ("multimix(p=1, m=50, alpha=0)", [Density(0, 0, 8)]),
        ("dense_multimix(p=1, m=3)", [Density(0.5, 2, 3)]),
        ("multi_mixup", [Density(1, 1, 2)]),
    ],
)
def test_densities_of_a_spec_in_batches_of_eight(spec, expected) -> None:
    assert densities(only(spec), 8) == expected


def test_no_density_where_lambda_is_zero_or_one() -> None:
    assert Density(0, 0, 4).points
    assert Density(2, 2, 1).points
    assert not Density(0, 1, 4).points


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "spec",
    [
        "mixup",
        "puzzlemix",
        "tokenmix",
        "dense_multimix(n=9, p=1)",
        "mixup >> multimix(m=4, n=9, p=1)",
        "cutmix >> dense_multimix(n=9, p=1)",
        "attentivemix + (cutmix >> multimix(n=9, p=1)) + none",
    ],
)
def test_draws_are_those_that_training_makes(spec, number, seen) -> None:
    """The student's draws in that step, term by term, with guides and completion."""
    step = only_step(spec).choose(choice_generator(0, number))
    student = Student(seen.model.model, step.mixers)
    with torch.no_grad():
        mixed = student(seen.inputs, step, draw_generator(0, number, CPU), seen.model_labels)
    drawn = dict(zip(map(id, step.mixers), make_draws(step, seen, 0, number), strict=True))
    for term, each in zip(step.terms, mixed, strict=True):
        targets = expected = torch.eye(B)
        for mixer in term.chain:
            targets = drawn[id(mixer)].targets(targets)
        torch.testing.assert_close(targets, each.draw.targets(each.seen.targets(expected)))


def test_a_panel_for_each_mixer_of_a_chain_and_a_sum(examples, seen) -> None:
    chain = make_panels(create_mixer("mixup >> multimix(m=4, n=30, p=1)").branches, examples, 2, 0)
    assert [panel.title.split(",")[0] for panel in chain] == ["mixup", "multimix"]
    assert [(len(panel.samples), bool(panel.tuples)) for panel in chain] == [(2, False), (0, True)]
    assert (chain[1].tuples.weights > 0).sum(1).max() <= 4
    panels = make_panels(create_mixer("(alignmixup >> multimix(n=9, p=1)) + cutmix").branches, seen, 1, 0)
    shown = [(panel.title.split(",")[0], len(panel.samples), bool(panel.tuples)) for panel in panels]
    others = [("multimix", 0, True), ("cutmix", 1, False)]
    assert shown == [
        ("alignmixup", 0, False),
        *others,
        ("mixup", 1, False),
        *others,
    ]  # half are mixup


def test_a_step_that_draws_together_is_drawn_once_for_all_of_its_panels(monkeypatch, examples) -> None:
    made: list[torch.Generator] = []
    monkeypatch.setattr(
        "timm_multimix.previews.draws.draw_generator",
        lambda *args: made.append(draw_generator(*args)) or made[-1],
    )
    make_panels(create_mixer("mixup >> multimix(n=9, p=1)").branches, examples, 3, 0)
    assert len(made) == 3
