"""What there is to know about a mixer: from its docstring, its signature, its paper and what it asks for."""

import fnmatch
import inspect
from dataclasses import dataclass

from ..mixer_names import PER_SAMPLE
from .agreement import Agreement
from .choice import AGREEMENT, per_sample
from .demands import extra_cost, find_data, find_model
from .meanings import read_text
from .registry import build, find_entry_point, list_mixers

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
class Argument:
    """An argument of a mixer: its default as it is written in a spec, and what it means."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """A mixer on a page.

    place: its own, not that of the mixers it is alternated with. data: what can be mixed, `any` tensors or
    `images`. needs: a task, and a kind of model. paper: a link, or the venue. reference: first author, title,
    where and when. cost: what a step takes beside an ordinary one, by what the mixer asks for. text: the
    docstring, without sections. agreement: how far it is the method of the paper.
    """

    name: str
    title: str
    place: str
    data: str
    needs: str
    paper: str
    reference: str
    cost: str
    text: str
    arguments: tuple[Argument, ...]
    agreement: Agreement | None

    @property
    def spec(self) -> str:
        """How it is written with all its defaults."""
        written = ", ".join(f"{each.name}={each.default}" for each in self.arguments)
        return f"{self.name}({'SPEC' if self.name == PER_SAMPLE else written})"

    @property
    def examples(self) -> list[str]:
        """Specs to begin with: with an argument, and for half of the batches."""
        if self.name == PER_SAMPLE:
            return ["per_sample(0.5*none | 0.5*mixup)", "per_sample(mixup | cutmix)"]
        if not self.arguments:
            return [self.name]
        first = self.arguments[0]
        return [f"{self.name}({first.name}={first.default})", f"0.5*none | 0.5*{self.name}"]


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
        return _card_of_per_sample()
    entry = find_entry_point(name)
    # a mixer's own place is its first branch's, the others are what it is alternated with
    mixer = build(name)[0][1].mixer
    arguments = tuple(
        Argument(each.name, repr(each.default), entry.meaning(each.name))
        for each in entry.__signature__.parameters.values()
    )
    text = read_text(entry.__doc__ or "")
    return Card(
        name,
        title=_title(text),
        place=mixer.place,
        data=find_data(mixer),
        needs=find_model(mixer),
        paper=entry.paper.link if entry.paper else "",
        reference=entry.paper.reference if entry.paper else "",
        cost=extra_cost(mixer),
        text=text,
        arguments=arguments,
        agreement=entry.agreement,
    )


def _card_of_per_sample() -> Card:
    text = read_text(inspect.getdoc(per_sample) or "")
    return Card(
        PER_SAMPLE,
        title=_title(text),
        place="theirs",
        data="theirs",
        needs="what its mixers need",
        paper="",
        reference="",
        cost="the draws of all its mixers",
        text=text,
        arguments=(),
        agreement=AGREEMENT,
    )


def _title(text: str) -> str:
    return text.partition("\n")[0].rstrip(".")
