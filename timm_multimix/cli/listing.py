"""`timm-multimix list`: the mixers that --mix accepts, by place, or one of them in detail."""

import json
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..options.listing import ListOptions
from ..options.parser import parse
from .early import check_pattern, no_match

if TYPE_CHECKING:
    from ..mixers.cards import Card

_WIDEST, _NARROWEST = 100, 60


def main(argv: list[str]) -> int:
    """Print name, description and extra cost of each mixer that matches, by place; or the card of one mixer.

    Raises: UsageError if no mixer matches.
    """
    options = parse(ListOptions, argv)
    check_pattern(options.pattern, options.import_)
    from ..mixers.cards import read_cards
    from ..mixers.plugins import import_modules
    from ..mixers.registry import list_mixers

    import_modules(options.import_)
    cards = read_cards(options.pattern)
    if not cards:
        raise no_match(options.pattern, list_mixers())
    if options.json:
        print(json.dumps([asdict(card) for card in cards], indent=1))
    elif cards[0].name == options.pattern:
        print(show_card(cards[0], find_width()))
    else:
        print(show_list(cards, find_width(), combinations=options.pattern == "*"))
    return 0


def find_width() -> int:
    """Return the width of the output in columns: the terminal's, from 60 to 100; 100 without one."""
    columns = shutil.get_terminal_size((_WIDEST, 24)).columns
    return max(_NARROWEST, min(_WIDEST, columns))


def show_list(cards: "list[Card]", width: int, combinations: bool) -> str:
    """Return the table of mixers by place, from the input to the classifier, and of combinations."""
    from ..mixers.cards import COMBINATIONS
    from ..mixers.places import PLACES

    groups = []
    for place in dict.fromkeys([*PLACES, *(card.place for card in cards)]):
        if rows := [(card.name, _title(card)) for card in cards if card.place == place]:
            head = f"{place}: {PLACES[place].where}" if place in PLACES else place
            groups.append("\n".join(_wrap(head, width)) + "\n" + show_rows(rows, width))
    if combinations:
        rows = [(form, f"{meaning}. Cost: {cost}") for form, (meaning, cost) in COMBINATIONS.items()]
        groups.append("combined in a spec\n" + show_rows(rows, width))
        groups.append("`timm-multimix list NAME` describes one of them.")
    return "\n\n".join(groups)


def _title(card: "Card") -> str:
    return card.title if card.cost == "no extra pass" else f"{card.title} (extra: {card.cost})"


def show_rows(rows: Iterable[tuple[str, str]], width: int, indent: str = "  ") -> str:
    """Format rows of a name and a text; the text is wrapped next to the name, or below a long name."""
    rows = list(rows)
    column = len(indent) + 2 + min(24, max(len(name) for name, _ in rows))
    lines = []
    for name, text in rows:
        wrapped = _wrap(text, width - column)
        head = f"{indent}{name}".ljust(column)
        if len(head) > column:
            lines.append(f"{indent}{name}")
            head = " " * column
        lines += [head + wrapped[0], *(" " * column + line for line in wrapped[1:])]
    return "\n".join(line.rstrip() for line in lines)


def _wrap(text: str, width: int) -> list[str]:
    """Wrap a text at spaces only, so that specs and names can be copied."""
    return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False) or [""]


def show_card(card: "Card", width: int) -> str:
    """Return the description of one mixer: docstring, arguments, facts, and example specs."""
    paragraphs = ["\n".join(_wrap(part, width)) for part in card.text.split("\n\n")]
    if card.arguments:
        rows = [(f"{each.name}={each.default}", each.meaning) for each in card.arguments]
        paragraphs.append("arguments and their defaults:\n" + show_rows(rows, width))
    facts = {
        "place": card.place,
        "data": card.data,
        "needs": card.needs,
        "cost": card.cost,
        "paper": card.reference,
        "link": card.paper if card.paper.startswith("https") else "",
        "agrees": card.agreement.reference if card.agreement else "",
        "tested": card.agreement.tested if card.agreement else "",
        "departs": card.agreement.departures if card.agreement else "",
    }
    known = [(name, value) for name, value in facts.items() if value]
    paragraphs.append(show_rows(known, width, indent=""))
    paragraphs.append("\n".join(f"--mix '{spec}'" for spec in card.examples))
    return "\n\n".join([card.name, *paragraphs])
