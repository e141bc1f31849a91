"""The layout of preview figures: positions in inches, and labels as bars."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..figures import literal
from .examples import Examples

OWN, OTHER, GREY = "#1f77b4", "#ff7f0e", "0.6"
WIDTH, HEAD, NAMES, BARS = 12.6, 0.35, 1.3, 1.7
"""In inches: width of the figure, height above a row of images, widths of class names and of bars."""

_MOST_BARS = 4
_MOST_LETTERS = 18


class Area:
    """A part of a figure in which axes are placed by inches from the top left."""

    def __init__(self, part: Any, height: float) -> None:
        self.part, self.height = part, height

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Add axes at a position from the top left, all in inches."""
        bottom = self.height - top - height
        across, up = WIDTH, self.height
        return self.part.add_axes((left / across, bottom / up, width / across, height / up))


@dataclass(frozen=True)
class Label:
    """The classes with the most weight in a label, and -1 for all others together; names and weights."""

    classes: list[int]
    names: list[str]
    weights: list[float]


def largest_classes(target: Tensor, examples: Examples) -> Label:
    """Return the largest classes of a label that is a mix [b] of those of the examples."""
    classes = torch.zeros(len(examples.class_names)).index_add(0, examples.labels, target)
    order = [int(place) for place in classes.argsort(descending=True, stable=True) if classes[place] > 1e-4]
    shown = order if len(order) <= _MOST_BARS else order[: _MOST_BARS - 1]
    names = [shorten(examples.class_names[place]) for place in shown]
    weights = [float(classes[place]) for place in shown]
    if rest := order[len(shown) :]:
        return Label([*shown, -1], [*names, f"{len(rest)} others"], [*weights, float(classes[rest].sum())])
    return Label(shown, names, weights)


def draw_bars(panel: Any, label: Label, colours: list[str]) -> None:
    """Draw a bar for each class of a label, the first at the top."""
    panel.barh(range(len(label.names)), label.weights, color=colours, height=0.7)
    panel.set(xlim=(0, 1), ylim=(_MOST_BARS - 0.5, -0.5), xticks=[0, 0.5, 1])
    panel.set_yticks(range(len(label.names)), label.names, fontsize=9)
    panel.tick_params(axis="x", labelsize=8)
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right"]].set_visible(False)
    for place, weight in enumerate(label.weights):
        inside = weight > 0.7
        x, side, colour = (weight - 0.02, "right", "white") if inside else (weight + 0.03, "left", "black")
        panel.text(x, place, f"{weight:.2f}", va="center", ha=side, fontsize=9, color=colour)


def shorten(name: str) -> str:
    """Return a class name, cut to a few letters."""
    return literal(name, _MOST_LETTERS)
