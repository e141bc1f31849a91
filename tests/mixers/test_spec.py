"""Spec strings: their meaning, and the messages about invalid ones."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timm_multimix import create_mixer, list_mixers, register_mixer
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Context, describe
from timm_multimix.mixers import registry as registry_module


def shares(spec):
    return [(round(weight, 6), step.name) for weight, step in create_mixer(spec).branches]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("none", [(1, "none")]),
        ("mixup | cutmix", [(0.5, "mixup"), (0.5, "cutmix")]),
        ("mixup() | cutmix() | none", [(0.333333, "mixup"), (0.333333, "cutmix"), (0.333333, "none")]),
        ("multimix", [(0.5, "multimix"), (0.5, "mixup")]),
        ("multimix()", [(0.5, "multimix"), (0.5, "mixup")]),
        ("multimix(p=1)", [(1, "multimix")]),
        ("multimix(p=0)", [(1, "mixup")]),
        (
            "dense_multimix(other='cutmix | none', p=0.8)",
            [(0.8, "dense_multimix"), (0.1, "cutmix"), (0.1, "none")],
        ),
        ("0.3*none | 0.7*multimix(n=2000)", [(0.3, "none"), (0.35, "multimix"), (0.35, "mixup")]),
        ("3*(none | mixup) | cutmix", [(0.375, "none"), (0.375, "mixup"), (0.25, "cutmix")]),
        (" mixup( alpha = 0.2 )\n", [(1, "mixup")]),
    ],
)
def test_meaning(spec, expected):
    assert shares(spec) == expected


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mixpu", r"did you mean mixup\?.*none, sample_pairing, mixup"),
        ("mixup(foo=1)", "'foo'; its arguments are: alpha, per_sample, partner, place"),
        ("mixup(alpha=-1)", "alpha must be a finite number of at least 0, got -1"),
        ("mixup(alpha=True)", "alpha must be .* got True"),
        ("mixup(alpha=1e999)", "alpha must be .* got inf"),
        ("mixup(1, 2)", "per_sample must be True or False, got 2"),
        ("mixup(place='head')", "place must be one of input, hidden, embedding, positions, got 'head'"),
        ("cutmix(place='embedding')", "place must be one of input, hidden, got 'embedding'"),
        ("manifold_mixup(layers=())", "at least one"),
        ("manifold_mixup(layers=(-1,))", "stage number"),
        ("mixup(layers=1)", "layers must be given with place='hidden', got place='input'"),
        ("multimix(layers=99)", "layers must be given with place='hidden', got place='embedding'"),
        ("multimix(n=0)", "n must be an integer of at least 1, got 0"),
        ("multimix(n=2.5)", "n must be .* got 2.5"),
        ("multimix(m=0)", "m must be an integer of at least 1 or None, got 0"),
        ("multimix(alpha=(2, 1))", "low <= high"),
        ("multimix(p=1.5)", "p must be a number from 0 to 1, got 1.5"),
        ("multimix(clean=-0.1)", "clean must be .* got -0.1"),
        ("dense_multimix(clean='much')", "clean must be .* got 'much'"),
        ("multimix(other='xx')", "unknown mixer 'xx'"),
        ("multimix(other=3)", "a mixer spec must be a string such as 'mixup | cutmix', got 3"),
        ("dense_multimix(shared=1)", "shared must be .* got 1"),
        ("none | -1*mixup", "must be positive numbers, got -1"),
        ("none + 0*mixup", "must be positive numbers, got 0"),
        ("0.5*mixup", r"must stand before an alternative of \| or a summand of \+, got '0.5\*mixup'"),
        ("0.3*(none + mixup)", "a weight in a mixer spec must stand before"),
        ("per_sample(0.5*mixup)", "a weight in a mixer spec must stand before"),
        ("1e308*mixup | 1e308*cutmix", "cannot read"),
        ("none | 1" + "0" * 400 + "*mixup", "cannot read"),
        ("mixup(alpha=1" + "0" * 400 + ")", "cannot read"),
        ("", "cannot read"),
        ("mixup(", "cannot read"),
        ("mixup - cutmix", "cannot read"),
        ("mixup(**{'alpha': 1})", "cannot read"),
        ("mixup(alpha=open('x'))", "cannot read"),
        ("__import__('os').system('true')", "cannot read"),
        ("functional.mixup", "cannot read"),
        ("mixup\x00", "cannot read"),
        ("(" * 5_000 + "mixup" + ")" * 5_000, "cannot read|at most 10000"),
        ("x" * 20_000, "at most 10000"),
    ],
)
def test_what_is_said_of_mistakes(spec, said):
    with pytest.raises(UsageError, match=said) as error:
        create_mixer(spec)
    assert "\n" not in str(error.value)


@given(
    st.text(max_size=40) | st.from_regex(r"(mixup|multimix|none|cutmix|[|+>*()=,.0-9 a-z])*", fullmatch=True)
)
def test_any_text_is_read_or_refused(text):
    try:
        branches = create_mixer(text).branches
    except UsageError:
        return
    assert math.isclose(sum(weight for weight, _ in branches), 1.0)


def test_listing():
    pairs = {"none", "sample_pairing", "mixup", "manifold_mixup", "multi_mixup"}
    masks = {"cutmix", "resizemix", "fmix", "gridmix", "smoothmix"}
    tuples = {"multimix", "dense_multimix", "zeta_mixup"}
    guided = {"saliencymix", "attentivemix", "puzzlemix", "co_mixup", "alignmixup", "transmix", "tokenmix"}
    assert pairs | masks | tuples | guided <= set(list_mixers())
    assert list_mixers("*multimix") == ["multimix", "dense_multimix"]
    assert all(describe(name).endswith(".") for name in list_mixers())


def test_short_tuples_have_four_members():
    (weight, step), x = create_mixer("multimix(m=4, p=1)").branches[0], torch.rand(9, 5)
    draw = step.mixer.sample(x, Context(torch.Generator().manual_seed(1)))
    assert weight == 1
    assert (draw.weights > 0).sum(1).tolist() == [4] * 1000


def test_a_new_mixer_takes_its_functions_name(monkeypatch):
    monkeypatch.setattr(registry_module, "_entry_points", dict(registry_module._entry_points))

    def half_mixup(alpha: float = 1.0):
        """Half."""
        return registry_module.build("mixup", (alpha,))

    assert register_mixer(half_mixup) is half_mixup
    assert "half_mixup" in list_mixers()
    assert shares("half_mixup(alpha=2)") == [(1, "mixup")]
    with pytest.raises(ValueError, match="registered already"):
        register_mixer(half_mixup)
