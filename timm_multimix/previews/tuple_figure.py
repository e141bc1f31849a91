"""Draw tuples: a plane with the examples and their mixes, and the labels of a few tuples."""

from typing import Any

import torch
from torch import Tensor

from .examples import Examples
from .layout import GREY, HEAD, NAMES, Area, draw_bars, largest_classes, shorten
from .tuples import Tuples

PLANE = 3.6
"""Side of the plane, in inches."""

_GAP, _BARS = 0.35, 1.5
_MOST_IN_KEY = 16
_OTHERS = "0.85"


def draw_tuples(area: Area, tuples: Tuples, examples: Examples) -> None:
    """Draw the plane on the left, next to it the labels of the selected tuples, and the classes' colours."""
    colours = class_colours(examples)
    plane = area.axes(0.3, HEAD + 0.1, PLANE, PLANE)
    draw_plane(plane, tuples, examples, colours)
    left = 0.3 + PLANE + NAMES + 0.3
    height = (PLANE - 2 * _GAP) / 3
    for place, number in enumerate(tuples.shown):
        bars = area.axes(left, HEAD + 0.1 + place * (height + _GAP), _BARS, height)
        label = largest_classes(tuples.weights[number], examples)
        draw_bars(bars, label, [colours.get(each, _OTHERS) for each in label.classes])
        bars.tick_params(labelbottom=place == len(tuples.shown) - 1)
        effective = f"effectively {tuples.effective[number]:.1f} examples"
        bars.set_title(f"label of {place + 1}: {effective}", fontsize=9, loc="left", x=-0.55)
    draw_key(area.axes(left + _BARS + 0.15, HEAD + 0.1, 1.2, PLANE), examples, colours)


def class_colours(examples: Examples) -> dict[int, str]:
    """Colour for each class of the examples, in the order of the classes; with many classes some repeat."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    classes = examples.labels.unique().tolist()
    palette = colormaps["tab10" if len(classes) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    return {number: to_hex(palette[place % len(palette)]) for place, number in enumerate(classes)}


def draw_plane(plane: Any, tuples: Tuples, examples: Examples, colours: dict[int, str]) -> None:
    """Draw mixes as dots in the mixed colours of their classes, examples on top, some tuples by number."""
    from matplotlib.colors import to_rgb

    own = torch.tensor([to_rgb(colours[int(label)]) for label in examples.labels])
    mixed = (tuples.weights @ own).clamp(0, 1)
    plane.scatter(*tuples.points.T.numpy(), s=5, c=mixed.numpy(), linewidths=0)
    plane.scatter(*tuples.examples.T.numpy(), s=46, c=own.numpy(), edgecolors="black", linewidths=0.8)
    for place, number in enumerate(tuples.shown):
        mark(plane, tuples.points[number], str(place + 1))
    plane.set(xticks=[], yticks=[])
    plane.margins(0.06)
    plane.set_xlabel(
        f"{tuples.plane} of examples (large) and tuples: two principal components", fontsize=8, loc="left"
    )
    mean = f"effectively {tuples.effective.mean():.1f} of {tuples.weights.shape[1]} examples each"
    plane.set_title(f"{tuples.title}: {len(tuples.weights)} tuples, {mean}", fontsize=8, loc="left")


def mark(plane: Any, point: Tensor, text: str) -> None:
    """Draw a number in a white disc at a point."""
    x, y = point.tolist()
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8}
    plane.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box, zorder=5)


def draw_key(key: Any, examples: Examples, colours: dict[int, str]) -> None:
    """Draw the colours of the classes, as far as there is room."""
    key.set_axis_off()
    shown = [*colours.items()][:_MOST_IN_KEY]
    for place, (number, colour) in enumerate(shown):
        y = 1 - (place + 0.5) / _MOST_IN_KEY
        key.scatter([0.06], [y], s=46, c=colour, edgecolors="black", linewidths=0.8)
        key.text(0.16, y, shorten(examples.class_names[number]), fontsize=9, va="center")
    if more := len(colours) - len(shown):
        key.text(0.16, -0.02, f"and {more} more", fontsize=9, va="center", color=GREY)
    key.set(xlim=(0, 1), ylim=(0, 1))
