"""`per_sample(a | b)` in spec strings: the mixer chosen for every example."""

import pickle

import pytest
import torch
from scipy import stats

from tests.networks import SmallNet
from timm_multimix import MixTask, create_mixer
from timm_multimix.errors import UsageError
from timm_multimix.functional.choose import Chosen
from timm_multimix.hub.methods import methods
from timm_multimix.mixers import Context


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def shares(spec):
    return [(round(weight, 6), step.name) for weight, step in create_mixer(spec).branches]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("per_sample(mixup | cutmix(alpha=0.5))", [(1, "per_sample(0.5*mixup | 0.5*cutmix)")]),
        ("per_sample(0.2*none | 0.8*mixup)", [(1, "per_sample(0.2*none | 0.8*mixup)")]),
        (
            "0.5*none | per_sample(3*mixup | fmix)",
            [(1 / 3, "none"), (2 / 3, "per_sample(0.75*mixup | 0.25*fmix)")],
        ),
        ("per_sample(mixup)", [(1, "per_sample(1*mixup)")]),
        (
            "per_sample(none | per_sample(mixup | cutmix))",
            [(1, "per_sample(0.5*none | 0.5*per_sample(0.5*mixup | 0.5*cutmix))")],
        ),
        (
            "per_sample(2*(mixup | fmix) | none)",
            [(1, "per_sample(0.333333*mixup | 0.333333*fmix | 0.333333*none)")],
        ),
        (
            "multimix(other='per_sample(mixup | none)')",
            [(0.5, "multimix"), (0.5, "per_sample(0.5*mixup | 0.5*none)")],
        ),
    ],
)
def test_meaning(spec, expected):
    assert shares(spec) == [(round(weight, 6), name) for weight, name in expected]
    assert repr(create_mixer(spec)) == f"Mixture({spec!r})"
    assert repr(pickle.loads(pickle.dumps(create_mixer(spec)))) == f"Mixture({spec!r})"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("per_sample", "takes mixers alone, such as per_sample"),
        ("per_sample()", "takes mixers alone"),
        ("per_sample(mixup, cutmix)", "takes mixers alone"),
        ("per_sample(mixer=mixup)", "takes mixers alone"),
        ("per_sample(0.5)", "cannot read"),
        ("per_sample(mixpu)", "did you mean mixup"),
        ("per_sample(0*mixup | cutmix)", "must be positive numbers, got 0"),
        ("per_sample(mixup | multimix)", "one row for each example, got multimix"),
        ("per_sample(mixup | multi_mixup)", "one row for each example, got multi_mixup"),
        ("per_sample(none | per_sample(multi_mixup))", "got multi_mixup"),
        (
            "per_sample(mixup | manifold_mixup)",
            r"got mixup at input, manifold_mixup at hidden \(0, 'stage 1', 'stage 2'\)",
        ),
        (
            "per_sample(mixup(place='embedding'))",
            "must mix at the input or at the same layers, got mixup at embedding",
        ),
        ("per_sample(dense_multimix(p=1))", "dense_multimix at positions"),
    ],
)
def test_what_is_said_of_mistakes(spec, said):
    with pytest.raises(UsageError, match=said) as error:
        create_mixer(spec)
    assert "\n" not in str(error.value)


def test_one_mixer_is_that_mixer():
    images, labels = torch.rand(6, 3, 8, 8), torch.arange(6)
    for spec in ("mixup(per_sample=True)", "cutmix", "resizemix", "zeta_mixup"):
        plain = create_mixer(spec, num_classes=6)
        wrapped = create_mixer(f"per_sample({spec})", num_classes=6)
        for _ in range(3):
            for ours, theirs in zip(wrapped(images, labels), plain(images, labels), strict=True):
                assert torch.equal(ours, theirs)


def test_a_share_of_the_samples_is_mixed():
    """Of one-hot images, the rest are left as they are, image and target."""
    b, steps = 40, 60
    images, labels = torch.eye(b).view(b, 1, 1, b), torch.arange(b)
    mixer = create_mixer("per_sample(0.7*none | 0.3*mixup)", num_classes=b)
    untouched = 0
    for _ in range(steps):
        mixed, soft = mixer(images, labels)
        torch.testing.assert_close(mixed.flatten(1), soft)
        torch.testing.assert_close(soft.sum(1), torch.ones(b))
        untouched += int((soft.diagonal() == 1).sum())
    # An example is also left alone where its partner is itself, once in b times.
    share = 0.7 + 0.3 / b
    assert stats.binomtest(untouched, b * steps, share).pvalue > 1e-4


def test_every_row_is_that_of_one_of_the_mixers():
    images, targets = torch.rand(30, 3, 8, 8), torch.eye(30)
    mixer = create_mixer("per_sample(mixup | cutmix | 2*none | smoothmix)").branches[0][1].mixer
    draw = mixer.sample(images, Context(generator(5)))
    again = Context(generator(5))
    draws = [part.sample(images, again) for part in mixer.parts]
    mixed, soft, seen = draw(images), draw.targets(targets), set()
    for i in range(30):
        rows = [
            number
            for number, part in enumerate(draws)
            if torch.equal(part(images)[i], mixed[i]) and torch.equal(part.targets(targets)[i], soft[i])
        ]
        assert rows
        seen.update(rows)
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "mix",
    [
        "per_sample(mixup | cutmix | none)",
        "per_sample(manifold_mixup | none)",
        "per_sample(cutmix(place='hidden', layers=1) | fmix(place='hidden', layers=1))",
        "0.5*multimix(p=1) | 0.5*per_sample(mixup | none)",
    ],
)
@pytest.mark.parametrize("options", [{}, {"distill": 0.5, "teacher": "self"}, {"criterion": "mse"}])
def test_training(mix, options):
    torch.manual_seed(0)
    task = MixTask(SmallNet(), mix, **options).train()
    for b in (1, 5, 4, 5):
        out = task(torch.rand(b, 3, 8, 8), torch.arange(b) % 4)
        out["loss"].backward()
        assert out["loss"].isfinite()
        assert out["output"].shape == out["target"].shape == (b, 4)
        if options.get("criterion") != "mse":
            torch.testing.assert_close(out["target"].sum(1), torch.ones(b))


def test_one_layer_serves_all_the_mixers_of_a_hidden_choice():
    """The layer is drawn once for the batch, from the layers that all have."""
    mixer = create_mixer("per_sample(manifold_mixup | 0.5*none)")
    layers = {mixer.choose(generator(seed)).mixer.layers for seed in range(30)}
    assert layers == {(0,), ("stage 1",), ("stage 2",)}


def test_cards_cite_the_papers_of_all():
    found = methods("0.5*none | per_sample(mixup | 0.5*cutmix | none)")
    assert [(method.name, method.arxiv) for method in found] == [
        ("mixup", "1710.09412"),
        ("cutmix", "1905.04899"),
    ]


def test_the_choice_comes_from_the_steps_generator():
    images, labels = torch.rand(16, 3, 4, 4), torch.arange(16)
    steps = [create_mixer("per_sample(none | mixup)", num_classes=16, seed=s) for s in (0, 0, 1)]
    first, same, other = ([mixer(images, labels)[1] for _ in range(3)] for mixer in steps)
    assert all(map(torch.equal, first, same))
    assert not any(map(torch.equal, first, other))
    assert not torch.equal(first[0], first[1])


def test_chosen_is_what_a_spec_gives():
    draw = (
        create_mixer("per_sample(none | mixup)")
        .branches[0][1]
        .mixer.sample(torch.rand(3, 2), Context(generator()))
    )
    assert isinstance(draw, Chosen)
