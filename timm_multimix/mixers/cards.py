"""What there is to know about a mixer: from its docstring, its signature, its paper and what it asks for."""

import fnmatch
import inspect
from dataclasses import dataclass

import torch

from .agreement import Agreement
from .choice import AGREEMENT, PER_SAMPLE, per_sample
from .mixer import Context, Mixer
from .paper import Paper
from .registry import build, find_entry_point, list_mixers

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

    place: its own, not that of the mixers it is alternated with. paper: a link, or the venue. reference:
    first author, title, where and when. cost: what a step takes beside an ordinary one, by what the mixer
    asks for. text: the docstring, without errors. arguments: name to default, as it is written in a spec.
    agreement: how far it is the method of the paper.
    """

    name: str
    title: str
    place: str
    paper: str
    reference: str
    cost: str
    text: str
    arguments: dict[str, str]
    agreement: Agreement | None

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
        return _card(
            name, inspect.getdoc(per_sample), None, "theirs", "the draws of all its mixers", {}, AGREEMENT
        )
    entry = find_entry_point(name)
    # a mixer's own place is its first branch's, the others are what it is alternated with
    mixer = build(name)[0][1].mixer
    defaults = {each.name: repr(each.default) for each in entry.__signature__.parameters.values()}
    return _card(name, entry.__doc__, entry.paper, mixer.place, extra_cost(mixer), defaults, entry.agreement)


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


def _card(
    name: str,
    docstring: str | None,
    paper: Paper | None,
    place: str,
    cost: str,
    arguments: dict[str, str],
    agreement: Agreement | None,
) -> Card:
    text = (docstring or "").partition("\n\nRaises:")[0]
    title = text.partition("\n")[0].rstrip(".")
    link, reference = (paper.link, paper.reference) if paper else ("", "")
    return Card(name, title, place, link, reference, cost, text, arguments, agreement)
