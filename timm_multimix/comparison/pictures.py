"""Draw the curves and bars of a comparison as PNG, for light and dark pages."""

import io
import textwrap
from collections.abc import Callable
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from ..figures import BASELINE, COLOURS, THEMES, Theme, literal, marker, set_title, styled
from .statistics import curve_band
from .table import Comparison

FEWEST_EPOCHS = 3
"""The last part of a curve shows at least this many epochs."""

STYLES = ("-", "--", ":", "-.")


def draw_all(comparison: Comparison, theme: str) -> dict[str, bytes]:
    """Draw all images of a comparison; returns the bytes of a PNG by name."""
    return {name: _png(draw(comparison, THEMES[theme])) for name, draw in PICTURES.items()}


def draw_curves(comparison: Comparison, theme: Theme) -> Figure:
    """Draw accuracy by epoch."""
    return _draw_curves(comparison, theme, 0.0, "Accuracy by epoch")


def draw_end(comparison: Comparison, theme: Theme) -> Figure:
    """Draw accuracy over the last third of the epochs, where the arms can be distinguished."""
    return _draw_curves(comparison, theme, 2 / 3, "Last third of training")


def _draw_curves(comparison: Comparison, theme: Theme, start: float, title: str) -> Figure:
    figure, panel = _panel(theme, 4.2 + 0.22 * len(comparison.arms))
    for place, arm in enumerate(comparison.arms):
        band = curve_band([run.curve() for run in arm.runs.values()])
        epochs = last_part(list(band), start)
        means = [band[epoch].mean for epoch in epochs]
        spreads = [band[epoch].deviation or 0.0 for epoch in epochs]
        colour, style = _look(place)
        look = {"color": colour, "linewidth": 1.8, "marker": marker(epochs), "markersize": 4}
        panel.plot(epochs, means, style, label=literal(arm.label, 60), **look)
        low = [mean - spread for mean, spread in zip(means, spreads, strict=True)]
        high = [mean + spread for mean, spread in zip(means, spreads, strict=True)]
        panel.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
    set_title(panel, title, theme)
    split = literal(str(comparison.facts["evaluation_split"]), 60)
    panel.set(xlabel="epoch", ylabel=comparison.metric.in_unit(f"{comparison.metric.label} on {split}"))
    if start:
        panel.set_ylim(bottom=max(panel.get_ylim()[0], _floor([row.last.mean for row in comparison.rows])))
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(color=theme["faint"], linewidth=0.6)
    figure.legend(loc="outside lower left", frameon=False, fontsize=9, labelcolor=theme["ink"])
    return figure


def last_part(epochs: list[int], start: float) -> list[int]:
    """Return the epochs after the fraction `start` of training, and at least `FEWEST_EPOCHS` of them."""
    late = [epoch for epoch in epochs if epoch > start * max(epochs)]
    return max(late, epochs[-FEWEST_EPOCHS:], key=len)


def _floor(finals: list[float]) -> float:
    """Return the lower end of the axis: an arm far below the others would compress them into one line."""
    middle = median(finals)
    return middle - 3 * max(1.0, max(finals) - middle)


def draw_accuracies(comparison: Comparison, theme: Theme) -> Figure:
    """Draw last-epoch accuracy: a dot for each seed, a line for the mean, a box for the std."""
    figure, panel = _panel(theme, 1.4 + 0.5 * len(comparison.arms))
    for place, (arm, row) in enumerate(zip(comparison.arms, comparison.rows, strict=True)):
        colour, _ = _look(place)
        spread = row.last.deviation or 0.0
        panel.barh(place, 2 * spread, left=row.last.mean - spread, height=0.5, color=colour, alpha=0.25)
        panel.plot([row.last.mean] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.5)
        values = list(arm.results.values())
        panel.plot(
            values, [place] * len(values), "o", color=colour, markersize=5, markeredgecolor=theme["paper"]
        )
    set_title(panel, "Last epoch, every seed", theme)
    panel.set_xlabel(comparison.metric.in_unit(comparison.metric.label))
    return _finish_bars(figure, panel, comparison, theme)


def draw_differences(comparison: Comparison, theme: Theme) -> Figure:
    """Draw bars of the paired differences to the baseline with their confidence intervals."""
    figure, panel = _panel(theme, 1.4 + 0.5 * len(comparison.arms))
    for place, row in enumerate(comparison.rows):
        found = row.difference
        if found is None:
            continue
        panel.barh(place, found.mean, height=0.5, color=_look(place)[0], alpha=0.75)
        if found.low is not None and found.high is not None:
            ends = [[found.mean - found.low], [found.high - found.mean]]
            panel.errorbar(found.mean, place, xerr=ends, color=theme["ink"], capsize=4, linewidth=1.4)
    panel.axvline(0, color=theme["ink"], linewidth=0.9)
    set_title(panel, f"Difference to {literal(comparison.baseline.label, 40)}", theme)
    metric = comparison.metric
    panel.set_xlabel(f"{metric.difference_unit or 'difference'} of {metric.label}, 95 % interval")
    return _finish_bars(figure, panel, comparison, theme)


PICTURES: dict[str, Callable[[Comparison, Theme], Figure]] = {
    "curves": draw_curves,
    "curves-end": draw_end,
    "bars": draw_accuracies,
    "differences": draw_differences,
}


def _look(place: int) -> tuple[str, str]:
    """Return colour and line style of an arm; the baseline, which comes first, is grey."""
    if place == 0:
        return BASELINE, "-"
    place -= 1
    return COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]


def _panel(theme: Theme, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.6, height), layout="constrained", facecolor=theme["paper"])
    return figure, styled(figure.subplots(), theme)


def _finish_bars(figure: Figure, panel: Any, comparison: Comparison, theme: Theme) -> Figure:
    panel.set_yticks(range(len(comparison.rows)), [_wrapped(row.label) for row in comparison.rows])
    panel.set_ylim(len(comparison.rows) - 0.4, -0.6)
    panel.set_axisbelow(True)
    panel.use_sticky_edges = False
    panel.autoscale_view(scaley=False)
    panel.grid(axis="x", color=theme["faint"], linewidth=0.6)
    return figure


def _wrapped(text: str, width: int = 36, lines: int = 3) -> str:
    """Wrap a label to several lines instead of cutting it: names of arms often differ in their ends."""
    parts = textwrap.wrap(text, width, max_lines=lines, placeholder="\u2026", break_on_hyphens=False)
    return "\n".join(literal(part, width) for part in parts)


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=160, facecolor=figure.get_facecolor())
    return stream.getvalue()
