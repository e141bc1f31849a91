"""`list`: the table of mixers and the card of one, from the registry."""

import inspect
import json
import re
import signal
import subprocess
import sys

import pytest

from timm_multimix import cli, list_mixers
from timm_multimix.cli import listing
from timm_multimix.mixers import create_mixer, registry
from timm_multimix.mixers.cards import COMBINATIONS, read_card, read_cards
from timm_multimix.mixers.demands import GUIDED, extra_cost, rows_per_example
from timm_multimix.mixers.places import PLACES


@pytest.fixture
def cards():
    return {card.name: card for card in read_cards()}


def run(capsys, *argv):
    assert cli.main(["list", *argv]) == 0
    return capsys.readouterr().out


def mixer(spec):
    return create_mixer(spec).branches[0][1].mixer


def names_in(group):
    return re.findall(r"^  (\S.*?)  ", group, re.MULTILINE)


def head_of(group):
    return re.split(r"[:\n]", group)[0]


def test_mixers_are_grouped_by_place_with_title_and_extra_cost(cards, capsys):
    *groups, combined, hint = run(capsys).split("\n\n")
    places = (*PLACES, "the place of its mixers")
    assert [head_of(group) for group in groups] == [
        place for place in places if any(card.place == place for card in cards.values())
    ]
    for group in groups:
        place = head_of(group)
        assert names_in(group) == [name for name, card in cards.items() if card.place == place]
        words = " ".join(group.split())
        for name in names_in(group):
            extra = "" if cards[name].cost == "no extra pass" else f" (extra: {cards[name].cost})"
            assert f"{name} {cards[name].title}{extra}" in words
    assert [name for name, card in cards.items() if card.place not in places] == []
    assert names_in(combined) == list(COMBINATIONS)
    assert hint.startswith("`timm-multimix list NAME`")


@pytest.mark.parametrize(("terminal", "width"), [("250", 100), ("80", 80), ("20", 60), (None, 100)])
@pytest.mark.parametrize("argv", [(), ("puzzlemix",), ("multimix",), ("per_sample",)])
def test_lines_fit_the_terminal_and_100_columns(argv, terminal, width, monkeypatch, capsys):
    if terminal is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", terminal)
    lines = run(capsys, *argv).splitlines()
    assert width - 15 < max(map(len, lines)) <= width


def test_a_closed_pipe_is_no_error():
    """As `timm-multimix list | head -1` in a shell, whose output is not buffered either."""
    script = [sys.executable, "-u", "-m", "timm_multimix", "list"]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 128 + signal.SIGPIPE


def test_a_long_name_has_its_text_below():
    shown = listing.show_rows([("short", "text"), ("a_name_of_more_than_24_letters", "words " * 9)], 60)
    assert shown.splitlines() == [
        "  short                     text",
        "  a_name_of_more_than_24_letters",
        "                            words words words words words",
        "                            words words words words",
    ]


def test_places_and_papers(cards):
    assert (cards["cutmix"].place, cards["manifold_mixup"].place) == ("input", "hidden")
    assert (cards["multimix"].place, cards["dense_multimix"].place) == ("embedding", "positions")
    assert cards["mixup"].paper == "https://arxiv.org/abs/1710.09412"
    assert cards["mixup"].title == "mixup: interpolate two images and their labels"
    without = [name for name, card in cards.items() if not card.paper]
    assert without == ["none", "per_sample"]
    assert all(card.title and "(arXiv" not in card.title for card in cards.values())


def test_costs_follow_from_the_passes_that_a_mixer_needs(cards):
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
def test_rows_that_the_network_processes_per_example(spec, rows):
    assert rows_per_example(mixer(spec)) == rows


def test_every_guide_has_a_cost():
    from timm_multimix.sites.guides import GUIDES

    assert GUIDED.keys() == GUIDES.keys()


@pytest.mark.parametrize("name", list_mixers())
def test_a_card_has_the_docstring_and_all_arguments_with_their_meaning(name, capsys):
    words = " ".join(run(capsys, name).split())
    function, card = registry._entry_points[name], read_card(name)
    text = re.split(r"\n\n(?:Args|Returns|Raises|Examples):", inspect.getdoc(function))[0]
    assert " ".join(text.split()) in words
    for parameter in inspect.signature(function).parameters.values():
        (argument,) = [each for each in card.arguments if each.name == parameter.name]
        assert argument.meaning, f"say in Args: of its docstring what {argument.name} means"
        assert f"{parameter.name}={parameter.default!r} {argument.meaning}" in words
    assert card.needs in words
    assert card.agreement.reference in words


@pytest.mark.parametrize("name", [*list_mixers(), "per_sample"])
def test_the_specs_of_a_card_are_specs(name, capsys):
    card = read_card(name)
    shown = re.findall(r"^--mix '(.*)'$", run(capsys, name), re.MULTILINE)
    assert shown == card.examples
    assert all(name in spec for spec in shown)
    for spec in (*shown, *([card.spec] if card.arguments else [])):
        assert create_mixer(spec).branches


def test_needs_of_a_mixer(cards):
    assert "timm.data.Mixup" in cards["cutmix"].needs
    assert cards["multimix"].needs == "MixTask; any model that gives logits"
    assert "vision transformer" in cards["transmix"].needs
    assert (cards["mixup"].data, cards["cutmix"].data) == ("any", "images")


def test_the_place_argument_lists_the_places(cards):
    meanings = {name: {each.name: each.meaning for each in card.arguments} for name, card in cards.items()}
    assert meanings["cutmix"]["place"] == "where it mixes; one of input, hidden"
    assert meanings["dense_multimix"]["shared"].startswith("whether all positions")
    assert meanings["dense_multimix"]["m"] == meanings["multimix"]["m"]


def test_the_card_of_per_sample(capsys):
    out = run(capsys, "per_sample")
    assert "per_sample(0.5*none | 0.5*mixup)" in out
    assert "UsageError" not in out


def test_a_pattern_chooses(capsys):
    groups = run(capsys, "*multimix").split("\n\n")
    assert [name for group in groups for name in names_in(group)] == list_mixers("*multimix")
    assert names_in(run(capsys, "per*")) == ["per_sample"]


def test_json_holds_all_of_it(cards, capsys):
    found = json.loads(run(capsys, "--json"))
    assert [row["name"] for row in found] == list(cards)
    assert found[2] == {
        "name": "mixup",
        "title": "mixup: interpolate two images and their labels",
        "place": "input",
        "data": "any",
        "needs": "no model: works with MixTask, and in place of timm.data.Mixup",
        "paper": "https://arxiv.org/abs/1710.09412",
        "reference": "Zhang et al., mixup: Beyond Empirical Risk Minimization, "
        "International Conference on Learning Representations, 2018",
        "cost": "no extra pass",
        "text": cards["mixup"].text,
        "arguments": [vars(each) for each in cards["mixup"].arguments],
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


def test_papers_without_a_link_are_named_by_their_venue(cards):
    assert cards["gridmix"].paper.startswith("https://www.sciencedirect.com/")
    assert cards["smoothmix"].paper.endswith("Pattern Recognition Workshops, 2020")


def test_a_card_names_first_author_title_venue_and_year(capsys):
    assert (
        "paper Chen et al., TransMix: Attend to Mix for Vision Transformers, IEEE/CVF Conference on Computer "
        "Vision and Pattern Recognition, 2022 link https://arxiv.org/abs/2111.09833 "
    ) in " ".join(run(capsys, "transmix").split())
