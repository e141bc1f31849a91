"""`timm-multimix list`: the mixers that --mix takes, in a table or one of them on a page."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..options.listing import ListOptions
from ..options.parser import parse

if TYPE_CHECKING:
    from ..mixers.cards import Card


def main(argv: list[str]) -> int:
    """Print name, place, extra cost, description and paper of each mixer that matches; one mixer's card.

    Raises: UsageError if none does.
    """
    options = parse(ListOptions, argv)
    from ..mixers.cards import COMBINATIONS, read_cards
    from ..mixers.registry import list_mixers

    cards = read_cards(options.pattern)
    if not cards:
        raise UsageError(f"no mixer matches {options.pattern!r}; there are {', '.join(list_mixers())}")
    if options.json:
        print(json.dumps([asdict(card) for card in cards], indent=1))
    elif cards[0].name == options.pattern:
        print(show_card(cards[0]))
    else:
        print(show_table([(card.name, card.place, card.cost, card.title, card.paper) for card in cards]))
        if options.pattern == "*":
            print("\ncombined in a spec:\n" + show_table([(k, *v) for k, v in COMBINATIONS.items()]))
    return 0


def show_table(rows: list[tuple[str, ...]]) -> str:
    """A line for each row, its cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def show_card(card: "Card") -> str:
    """The docstring, and below it what else is known."""
    facts = {
        "place": card.place,
        "cost": card.cost,
        "paper": card.reference,
        "": card.paper if card.paper.startswith("https") else "",
        "spec": card.spec,
    }
    lines = [f"{name:6} {value}" for name, value in facts.items() if value]
    return "\n".join([card.name, "", card.text, "", *lines])
