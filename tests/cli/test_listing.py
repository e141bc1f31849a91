"""`list`: a line for every mixer, and the card of one; both from the registry alone."""

import inspect
import json
import re

import pytest

from timm_multimix import cli, list_mixers
from timm_multimix.mixers import create_mixer, registry
from timm_multimix.mixers.cards import COMBINATIONS, extra_cost, read_card, read_cards, rows_per_example


@pytest.fixture
def cards():
    return {card.name: card for card in read_cards()}


def run(capsys, *argv):
    assert cli.main(["list", *argv]) == 0
    return capsys.readouterr().out


def mixer(spec):
    return create_mixer(spec).branches[0][1].mixer


def test_a_line_for_every_mixer_and_for_per_sample(cards, capsys):
    mixers, _, combined = run(capsys).partition("\n\ncombined in a spec:\n")
    lines = mixers.splitlines()
    assert [line.split("  ")[0] for line in combined.splitlines()] == list(COMBINATIONS)
    assert [line.split()[0] for line in lines] == [*list_mixers(), "per_sample"]
    for line, card in zip(lines, cards.values(), strict=True):
        cells = [cell.strip() for cell in re.split(r"\s{2,}", line)]
        assert cells == [part for part in (card.name, card.place, card.cost, card.title, card.paper) if part]


def test_places_and_papers(cards):
    assert (cards["cutmix"].place, cards["manifold_mixup"].place) == ("input", "hidden")
    assert (cards["multimix"].place, cards["dense_multimix"].place) == ("embedding", "positions")
    assert cards["mixup"].paper == "https://arxiv.org/abs/1710.09412"
    assert cards["mixup"].title == "mixup: interpolate two images and their labels"
    without = [name for name, card in cards.items() if not card.paper]
    assert without == ["none", "per_sample"]
    assert all(card.title and "(arXiv" not in card.title for card in cards.values())


def test_costs_follow_from_what_a_mixer_asks_for(cards):
    assert cards["mixup"].cost == cards["saliencymix"].cost == "no extra pass"
    assert cards["attentivemix"].cost == cards["tokenmix"].cost == "one forward"
    assert cards["puzzlemix"].cost == "one forward and backward, a solver on the CPU"
    assert cards["transmix"].cost == "a pass that is not compiled"
    assert cards["dense_multimix"].cost == "the head at every position"
    assert cards["multi_mixup"].cost == "5 times the examples"
    assert extra_cost(mixer("saliencymix(saliency='gradient')")) == "one forward and backward"
    assert extra_cost(mixer("per_sample(puzzlemix | attentivemix)")).startswith(
        "one forward and backward, one forward"
    )


def test_combinations_are_specs():
    mixers = {"a": "mixup", "b": "multimix(p=1)"}
    for form in COMBINATIONS:
        inner = {"a": "mixup", "b": "cutmix"} if "per_sample" in form else mixers
        create_mixer(re.sub(r"\b[ab]\b", lambda found, inner=inner: inner[found[0]], form))


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("mixup", 1),
        ("multi_mixup(k=3)", 3),
        ("multi_mixup(k=3, place='hidden')", 3),
        ("multi_mixup(k=3, place='embedding')", 1),
        ("multimix(n=10, m=2, p=1, place='input')", 2.5),
        ("multimix(n=10, p=1)", 1),
    ],
)
def test_examples_that_the_network_sees_for_each_it_is_given(spec, rows):
    assert rows_per_example(mixer(spec)) == rows


def test_a_guide_that_is_new_must_have_its_cost():
    from timm_multimix.mixers.cards import _PASSES
    from timm_multimix.sites.guides import GUIDES

    assert _PASSES.keys() == GUIDES.keys()


@pytest.mark.parametrize("name", list_mixers())
def test_a_card_is_the_docstring_with_all_arguments(name, capsys):
    out = run(capsys, name)
    function = registry._entry_points[name]
    assert inspect.getdoc(function).partition("\n\nRaises:")[0] in out
    assert create_mixer(read_card(name).spec).branches
    for parameter in inspect.signature(function).parameters.values():
        assert f"{parameter.name}={parameter.default!r}" in out


def test_the_card_of_per_sample(capsys):
    out = run(capsys, "per_sample")
    assert "per_sample(0.5*none | 0.5*mixup)" in out
    assert "UsageError" not in out


def test_a_pattern_chooses(capsys):
    assert [line.split()[0] for line in run(capsys, "*multimix").splitlines()] == list_mixers("*multimix")
    assert [line.split()[0] for line in run(capsys, "per*").splitlines()] == ["per_sample"]


def test_json_holds_all_of_it(cards, capsys):
    found = json.loads(run(capsys, "--json"))
    assert [row["name"] for row in found] == list(cards)
    assert found[2] == {
        "name": "mixup",
        "title": "mixup: interpolate two images and their labels",
        "place": "input",
        "paper": "https://arxiv.org/abs/1710.09412",
        "reference": "Zhang et al., mixup: Beyond Empirical Risk Minimization, "
        "International Conference on Learning Representations, 2018",
        "cost": "no extra pass",
        "text": cards["mixup"].text,
        "arguments": {
            "alpha": "1.0",
            "per_sample": "False",
            "place": "'input'",
            "layers": "(0, 'stage 1', 'stage 2')",
        },
        "agreement": {
            "reference": "arXiv:1710.09412, equation 1",
            "tested": "a loop over the examples; moments of lambda",
            "tests": [
                "functional/test_mixing.py::test_mixup_is_the_formula",
                "functional/test_mixing.py::test_lambda_has_the_moments_of_beta",
            ],
            "departures": "",
        },
    }


def test_papers_without_an_address_are_told_by_their_venue(cards):
    assert cards["gridmix"].paper.startswith("https://www.sciencedirect.com/")
    assert cards["smoothmix"].paper.endswith("Pattern Recognition Workshops, 2020")


def test_a_card_names_first_author_title_venue_and_year(capsys):
    assert (
        "paper  Chen et al., TransMix: Attend to Mix for Vision Transformers, "
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition, 2022\n"
        "       https://arxiv.org/abs/2111.09833\n"
    ) in run(capsys, "transmix")
