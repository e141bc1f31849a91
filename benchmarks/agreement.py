"""Write docs/agreement.md: what each mixer agrees with, from its declaration.

make docs
"""

from pathlib import Path

from timm_multimix.mixers.cards import Card, read_cards

from .guide import table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "agreement.md"

_PAGE = """# Agreement with the papers

<!-- Made by `make docs` from the declarations in timm_multimix/mixers. -->

Every mixer is tested against a second, slow computation written from its paper, in the tests that the third
column links. The last column lists known differences from the paper or from its authors' code.

{}
"""


def make_page() -> str:
    """Return the page."""
    head = ["mixer", "agrees with", "how tested", "departures"]
    return _PAGE.format(table(head, [make_row(card) for card in read_cards()]))


def make_row(card: Card) -> list[str]:
    """Return the table row of a mixer.

    Raises:
        ValueError: its declaration does not say what it agrees with.
    """
    if card.agreement is None:
        raise ValueError(f"mixer {card.name} must be registered with agreement=Agreement(...)")
    files = dict.fromkeys(test.partition("::")[0] for test in card.agreement.tests)
    links = ", ".join(f"[{Path(file).stem}](../tests/{file})" for file in files)
    tested = f"{card.agreement.tested} ({links})"
    return [f"`{card.name}`", card.agreement.reference, tested, card.agreement.departures or "none known"]


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
