"""The entries that `register_mixer` makes of functions: arguments, checks, places and papers."""

import inspect
import pickle

import pytest
import torch

from timm_multimix import create_mixer, list_mixers, register_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.functional.checks import Concentration, Count
from timm_multimix.mixers import Context, Mixer, Paper, registry
from timm_multimix.mixers.tuples import MULTIMIX

# those that make their mixers themselves, from arguments of a function of another name
OWN = {
    "dense_multimix": "dense_weights",
    "transmix": "cutmix",
    "mixpro": "maskmix",
}


@pytest.fixture(autouse=True)
def scratch(monkeypatch):
    monkeypatch.setattr(registry, "_entry_points", dict(registry._entry_points))


def mixer(spec):
    return create_mixer(spec).branches[0][1].mixer


# Of papers and authors' code, as each mixer's page says. Who gives no arguments trains with these.
DEFAULTS = {
    "mixup": {"alpha": 1.0, "per_sample": False},
    "manifold_mixup": {"alpha": 2.0, "layers": (0, "stage 1", "stage 2")},
    "multi_mixup": {"k": 5, "alpha": 1.0},
    "c_mixup": {"alpha": 2.0, "bandwidth": 1.0},
    "cutmix": {"alpha": 1.0, "correct": True, "minmax": None, "per_sample": False},
    "resizemix": {"tau": (0.1, 0.8)},
    "fmix": {"alpha": 1.0, "decay": 3.0},
    "gridmix": {"alpha": 1.0, "cells": 4},
    "smoothmix": {"sigma": (0.25, 0.5), "shape": "circle"},
    "multimix": {"n": 1000, "m": None, "alpha": (0.5, 2.0), "p": 0.5, "other": "mixup", "clean": 0.0},
    "dense_multimix": {"n": 1000, "m": None, "alpha": (0.5, 2.0), "p": 0.5, "other": "mixup"},
    "zeta_mixup": {"gamma": 2.8},
    "saliencymix": {"alpha": 1.0, "saliency": "spectral"},
    "attentivemix": {"top_k": 6, "grid": 7},
    "puzzlemix": {
        "alpha": 1.0,
        "labels": 3,
        "beta": 1.2,
        "gamma": 0.5,
        "eta": 0.2,
        "transport": True,
        "transport_cost": 0.8,
    },
    "co_mixup": {"alpha": 1.0, "beta": 0.32, "gamma": 1.0, "eta": 0.05, "threshold": 0.83, "omega": 0.001},
    "alignmixup": {"alpha": 2.0, "epsilon": 0.1, "iterations": 100, "p": 0.5},
    "snapmix": {"alpha": 5.0},
    "catch_up_mix": {"alpha": 1.0, "p": 0.8333},
    "transmix": {"alpha": 1.0, "area": 0.5},
    "tokenmix": {"ratio": 0.5714},
    "smmix": {"sides": (0.25, 0.75)},
    "mixpro": {"alpha": 1.0},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_numbers_that_results_depend_on_stay_as_they_are(name):
    ours = inspect.signature(registry._entry_points[name]).parameters
    assert {key: ours[key].default for key in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize("name", [name for name in list_mixers() if name != "manifold_mixup"])
def test_arguments_and_defaults_are_those_of_the_function(name):
    """All of them, but for what an entry leaves out or states of its own."""
    ours = inspect.signature(registry._entry_points[name]).parameters
    function = getattr(F, OWN.get(name, name))
    theirs = inspect.signature(getattr(function, "draw", function)).parameters
    shared = [key for key in theirs if key in ours and theirs[key].default is not inspect.Parameter.empty]
    assert [key for key in ours if key in shared] == shared
    assert [key for key in shared if ours[key].default != theirs[key].default] == []
    if name not in OWN:
        wanted = [key for key, each in theirs.items() if each.default is not inspect.Parameter.empty]
        assert shared == [key for key in wanted if key != "generator"]


def test_the_arguments_that_a_mixer_draws_with_are_its_field():
    assert mixer("cutmix(0.5, place='hidden')").arguments == {
        "alpha": 0.5,
        "per_sample": False,
        "correct": True,
        "minmax": None,
        "partner": "random",
    }
    by_gradient = {"alpha": 1.0, "per_sample": False, "partner": "random"}
    assert mixer("saliencymix(saliency='gradient')").arguments == by_gradient
    assert mixer("dense_multimix(n=7)").arguments["n"] == 7
    assert mixer("none").arguments == {}


def test_a_function_that_draws_needs_no_parentheses_and_gives_itself():
    @register_mixer
    def reversal(x, weight: Concentration = 0.5, generator=None) -> F.Draw:
        """Reversal."""
        return F.Pairs(torch.tensor([weight]), torch.arange(len(x) - 1, -1, -1))

    x = torch.rand(4, 3)
    expected = 0.25 * x + 0.75 * x.flip(0)
    torch.testing.assert_close(mixer("reversal(0.25)").sample(x, Context(torch.Generator()))(x), expected)
    assert isinstance(reversal(x), F.Pairs)
    with pytest.raises(
        UsageError, match="mixer reversal: weight must be a finite number of at least 0, got -1"
    ):
        create_mixer("reversal(weight=-1)")
    with pytest.raises(UsageError, match=r"its arguments are: weight$"):
        create_mixer("reversal(place='hidden')")


def test_a_function_that_makes_a_mixer_may_be_unchecked_or_checked_and_have_a_paper():
    paper = Paper("Twice", arxiv="0000.00000")

    @register_mixer(paper=paper)
    def twice(alpha: float = 1.0, k: "Count | None" = None) -> Mixer:
        """Twice."""
        return mixer(f"mixup({alpha})")

    assert registry.find_entry_point("twice").paper is paper
    assert mixer("twice(alpha=3)").arguments["alpha"] == 3
    assert twice(2.0).name == "mixup"
    with pytest.raises(UsageError, match="k must be an integer of at least 1 or None, got 0"):
        create_mixer("twice(k=0)")


def test_declarations_that_are_refused():
    def no_default(x, alpha, generator=None):
        return F.Identity()

    def makes(alpha=1.0):
        return mixer("none")

    with pytest.raises(ValueError, match=r"arguments of mixer no_default must have defaults, got none for"):
        register_mixer(no_default)
    with pytest.raises(TypeError, match="place"):
        register_mixer(place="hidden")(makes)
    assert not {"no_default", "makes"} & {*list_mixers()}


def test_a_mixer_that_draws_is_checked():
    def tuple_of_both(x, generator=None):
        return F.mixup(x, generator=generator)

    def without_generator(x, alpha=1.0):
        return F.mixup.draw(x, alpha=alpha)

    def skip(x, generator=None):
        return F.Identity()

    register_mixer(tuple_of_both)
    with pytest.raises(UsageError, match=r"mixer tuple_of_both must return a Draw, .*, got tuple"):
        create_mixer("tuple_of_both", num_classes=2)(torch.rand(2, 3, 4, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="mixer without_generator must have a parameter generator"):
        register_mixer(without_generator)
    with pytest.raises(ValueError, match=r"place must be of input, .*, got 'inputs'"):
        register_mixer(place="inputs")(tuple_of_both)
    with pytest.raises(ValueError, match=r"guide must be of spectral, .*, got 'gradients'"):
        register_mixer(guide="gradients")(tuple_of_both)
    for function in (skip, lambda x, generator=None: F.Identity()):
        with pytest.raises(ValueError, match="a mixer's name must be a new word of Python"):
            register_mixer(function)


def test_mixers_travel_to_other_processes():
    for name in list_mixers():
        if name != "none":
            assert pickle.loads(pickle.dumps(create_mixer(name))).branches[0][0] > 0


def test_papers_as_bibtex():
    assert MULTIMIX.bibtex == (
        "@inproceedings{venkataramanan2023embedding,\n"
        "  title     = {Embedding Space Interpolation Beyond Mini-Batch, Beyond Pairs and Beyond Examples},\n"
        "  author    = {Venkataramanan, Shashanka and Kijak, Ewa and Amsaleg, Laurent and "
        "Avrithis, Yannis},\n"
        "  booktitle = {Advances in Neural Information Processing Systems},\n"
        "  year      = {2023}\n"
        "}"
    )
    assert Paper("A B", arxiv="1234.56789").bibtex == (
        "@misc{a,\n  title         = {A B},\n  eprint        = {1234.56789},\n  archivePrefix = {arXiv}\n}"
    )


def test_every_mixer_but_none_has_its_paper_with_authors_and_year():
    papers = {name: registry.find_entry_point(name).paper for name in list_mixers()}
    assert [name for name, paper in papers.items() if paper is None] == ["none"]
    found = {paper for paper in papers.values() if paper}
    assert all(paper.authors and paper.year and paper.link for paper in found)
    assert all(", " in author for paper in found for author in paper.authors)
    keys = [paper.bibtex.partition(",")[0] for paper in found]
    assert len(keys) == len({*keys}) == len(papers) - 2  # MultiMix's is that of two
