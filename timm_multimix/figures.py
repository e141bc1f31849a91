"""The style of figures: colours, axes, titles, and text that matplotlib must not interpret."""

from collections.abc import Sequence
from typing import Any

BASELINE = "#7f8790"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1")
"""Distinct for most kinds of colour vision: Okabe and Ito's, with yellow and black replaced."""

THEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "faint": "#d5d9de"},
    "dark": {"paper": "#161b22", "ink": "#e6edf3", "faint": "#3a424c"},
}

Theme = dict[str, str]

_FEW = 12


def styled(panel: Any, theme: Theme) -> Any:
    """Give a matplotlib panel the colours of a theme, with two axes."""
    panel.set_facecolor(theme["paper"])
    panel.tick_params(colors=theme["ink"], labelsize=9)
    panel.xaxis.label.set_color(theme["ink"])
    panel.yaxis.label.set_color(theme["ink"])
    for side, spine in panel.spines.items():
        spine.set_color(theme["faint"])
        spine.set_visible(side in ("left", "bottom"))
    return panel


def set_title(panel: Any, text: str, theme: Theme) -> None:
    """Write the title of a panel."""
    panel.set_title(text, loc="left", fontsize=12, fontweight="bold", color=theme["ink"])


def marker(points: Sequence[Any]) -> str:
    """Return the marker of a curve: dots if it has few points, as a line alone may then show nothing."""
    return "o" if len(points) <= _FEW else ""


def literal(text: str, most: int) -> str:
    """Make a text that matplotlib shows literally: one line of at most so many letters, no formula.

    A space before a leading underscore keeps the text in legends, which omit labels that begin with one.
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    short = line if len(line) <= most else line[: most - 1] + "\u2026"
    start = " " if short.startswith("_") else ""
    return start + short.replace("$", r"\$")
