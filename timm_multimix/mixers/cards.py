"""What there is to know about a mixer: from its docstring, its signature, and what it asks for."""

import fnmatch
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .choice import PER_SAMPLE, per_sample
from .mixer import Context, Mixer
from .registry import build, find_entry_point, list_mixers

_SOURCE = re.compile(r"\s*\(([^()]*\d{4}[^()]*)\)\.?$")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_PASSES = {
    "gradient": "one forward and backward",
    "features": "one forward",
    "activation": "one forward",
}


COMBINATIONS = {
    "a | b": ("one of them for every batch", "that of the one chosen"),
    "0.3*a | 0.7*b": ("the same, with weights", "that of the one chosen"),
    "per_sample(a | b)": ("one of them for every example", "all draws"),
    "a + b": (
        "the sum of their losses in one step, with weights as written (0.5*a + 0.5*b)",
        "clean terms and mixers of logits share a pass; each mixer of images costs one",
    ),
    "a >> b": ("b mixes what a has mixed, deeper in the network", "no further pass"),
    "0.5*a | 0.5*skip": ("no step in place of a, schedule and randomness go on", "none where left out"),
}
"""How mixers are combined in a spec: what it means, and what a step costs."""


@dataclass(frozen=True)
class Card:
    """A mixer on a page.

    place: its own, not that of the mixers it is alternated with. paper: a link, or where there is none the
    journal, or nothing. cost: what a step takes beside an ordinary one, by what the mixer asks for. text:
    the docstring, without errors. arguments: name to default, as it is written in a spec.
    """

    name: str
    title: str
    place: str
    paper: str
    cost: str
    text: str
    arguments: dict[str, str]

    @property
    def spec(self) -> str:
        """How it is written with all its defaults."""
        written = ", ".join(f"{name}={default}" for name, default in self.arguments.items())
        return f"{self.name}({'SPEC' if self.name == PER_SAMPLE else written})"


def read_cards(pattern: str = "*") -> list[Card]:
    """Cards of what a spec may name and a glob pattern matches: the mixers, and `per_sample`."""
    names = [*list_mixers(pattern), *fnmatch.filter([PER_SAMPLE], pattern)]
    return [read_card(name) for name in names]


def read_card(name: str) -> Card:
    """The card of a mixer, or of `per_sample`.

    Raises:
        UsageError: no such mixer.
    """
    if name == PER_SAMPLE:
        return _card(name, per_sample, "theirs", "the draws of all its mixers", {})
    function = find_entry_point(name)
    parameters = inspect.signature(function).parameters.values()
    # a mixer's own place is its first branch's, the others are what it is alternated with
    mixer = build(name)[0][1].mixer
    defaults = {parameter.name: repr(parameter.default) for parameter in parameters}
    return _card(name, function, mixer.place, extra_cost(mixer), defaults)


def extra_cost(mixer: Mixer) -> str:
    """What a training step takes beside an ordinary one, in words, by the structure of the mixer."""
    costs = [_PASSES[guide] for guide in mixer.guides]
    if mixer.place == "positions":
        costs.append("the head at every position")
    if mixer.complete is not None:
        costs.append("a pass that is not compiled")
    if mixer.solver:
        costs.append("a solver on the CPU")
    if (rows := rows_per_example(mixer)) > 1:
        costs.append(f"{rows:g} times the examples")
    return ", ".join(costs) or "no extra pass"


def rows_per_example(mixer: Mixer) -> float:
    """How many examples the network sees for each that it is given, by trial."""
    if mixer.guided or mixer.row_per_example or mixer.place not in ("input", "hidden"):
        return 1.0
    draw = mixer.sample(torch.zeros(4, 1, 2, 2), Context(torch.Generator().manual_seed(0)))
    return len(draw.targets(torch.eye(4))) / 4


def _card(name: str, function: Callable[..., Any], place: str, cost: str, arguments: dict[str, str]) -> Card:
    text = (inspect.getdoc(function) or "").partition("\n\nRaises:")[0]
    line = text.partition("\n")[0]
    source = _SOURCE.search(line)
    title = _SOURCE.sub("", line).rstrip(".")
    return Card(name, title, place, link(source[1]) if source else "", cost, text, arguments)


def link(source: str) -> str:
    """The address of a paper on arXiv; other sources as they are."""
    number = _ARXIV.search(source)
    return f"https://arxiv.org/abs/{number[1]}" if number else source
