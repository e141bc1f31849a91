"""Cards of mixers: facts for pages and `timm-multimix list`, from docstring, signature, paper and demands."""

import fnmatch
import inspect
from dataclasses import dataclass

from ..mixer_names import PER_SAMPLE
from .choice import AGREEMENT, per_sample
from .demands import extra_cost, find_data, find_model
from .meanings import read_text
from .registry import build, find_entry_point, list_mixers
from .sources import Agreement

COMBINATIONS = {
    "a | b": ("one of them for every batch", "that of the one chosen"),
    "0.3*a | 0.7*b": ("the same, with weights", "that of the one chosen"),
    "per_sample(a | b)": ("one of them for every example", "all draws"),
    "a + b": (
        "the sum of their losses in one step, with weights as written (0.5*a + 0.5*b)",
        "clean terms and mixers of logits share a pass; each mixer of images costs one",
    ),
    "a >> b": ("b mixes what a has mixed, deeper in the network", "no extra pass"),
    "0.5*a | 0.5*skip": (
        "no step instead of a; schedule and randomness advance; with a GradScaler ask `MixTask.skips` first",
        "none if left out",
    ),
}
"""Combinations of mixers in a spec: meaning, and cost of a step."""


@dataclass(frozen=True)
class Argument:
    """An argument of a mixer.

    Args:
        name: its name.
        default: its default, as written in a spec.
        meaning: its description.
    """

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """The facts about a mixer.

    Args:
        name: its name in specs.
        title: the first line of its docstring.
        place: where it mixes; for one that alternates with others, its own place.
        data: what can be mixed, `any` tensors or `images`.
        needs: what is needed to use it: a task, and a kind of model.
        paper: a link, or the venue.
        reference: first author, title, venue and year.
        cost: what a training step costs in addition.
        text: the docstring, without sections.
        arguments: its arguments.
        agreement: how it agrees with its paper.
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
        """The spec with all defaults."""
        written = ", ".join(f"{each.name}={each.default}" for each in self.arguments)
        return f"{self.name}({'SPEC' if self.name == PER_SAMPLE else written})"

    @property
    def examples(self) -> list[str]:
        """Specs to start with: with an argument, and for half of the batches."""
        if self.name == PER_SAMPLE:
            return ["per_sample(0.5*none | 0.5*mixup)", "per_sample(mixup | cutmix)"]
        if not self.arguments:
            return [self.name]
        first = self.arguments[0]
        return [f"{self.name}({first.name}={first.default})", f"0.5*none | 0.5*{self.name}"]


def read_cards(pattern: str = "*") -> list[Card]:
    """Return the cards of the mixers, and of `per_sample`, whose names match a glob pattern."""
    names = [*list_mixers(pattern), *fnmatch.filter([PER_SAMPLE], pattern)]
    return [read_card(name) for name in names]


def read_card(name: str) -> Card:
    """Return the card of a mixer, or of `per_sample`.

    Raises:
        UsageError: there is no such mixer.
    """
    if name == PER_SAMPLE:
        return _card_of_per_sample()
    entry = find_entry_point(name)
    # a mixer's own place is that of its first branch; the others are the mixers it alternates with
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
        place="the place of its mixers",
        data="what its mixers take",
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
