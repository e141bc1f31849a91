"""Draw panels as one figure: mixed examples or tuples on the left, densities on the right."""

from typing import Any

import numpy as np
from torch import Tensor

from .draws import Sample
from .examples import Examples
from .layout import BARS, GREY, HEAD, NAMES, OTHER, OWN, WIDTH, Area, draw_bars, largest_classes, shorten
from .panels import Panel
from .tuple_figure import PLANE, draw_tuples

# heights in inches: of a panel's title, of an image, of a row of images
_TITLE, _SIDE, _STEP = 0.6, 1.4, 1.72
_DENSITY, _LEAST = 2.6, 2.7


def draw_panels(panels: list[Panel], examples: Examples) -> Any:
    """Return a figure with the panels below each other."""
    from matplotlib.figure import Figure

    heights = [body_height(panel) for panel in panels]
    figure = Figure(figsize=(WIDTH, sum(heights) + _TITLE * len(panels)))
    ratios = [inches for body in heights for inches in (_TITLE, body)]
    parts: Any = figure.subfigures(len(ratios), 1, height_ratios=ratios)
    for title, body, height, panel in zip(parts[::2], parts[1::2], heights, panels, strict=True):
        title.text(0.01, 0.6, panel.title, va="center", fontsize=13, fontweight="bold")
        title.text(0.01, 0.2, panel.arguments, va="center", fontsize=9, color="0.4")
        draw_panel(Area(body, height), panel, examples)
    return figure


def body_height(panel: Panel) -> float:
    """Return the height of a panel without its title, in inches."""
    if panel.samples:
        return max(HEAD + _STEP * len(panel.samples), _LEAST if panel.densities else 0.0) + 0.2
    if panel.tuples:
        return HEAD + PLANE + 0.5
    return _LEAST if panel.densities else 0.3


def draw_panel(area: Area, panel: Panel, examples: Examples) -> None:
    """Draw examples or tuples on the left, densities on the right."""
    if panel.samples:
        draw_samples(area, panel.samples, examples)
    elif panel.tuples:
        draw_tuples(area, panel.tuples, examples)
    if panel.densities:
        draw_densities(area.axes(WIDTH - _DENSITY - 0.15, HEAD + 0.2, _DENSITY, 1.6), panel)


def draw_samples(area: Area, samples: list[Sample], examples: Examples) -> None:
    """Draw a row for each mixed example: sources, mask if there is one, mix, and label as bars."""
    masked = any(sample.masked for sample in samples)
    columns = ["example", "partner", *(["mask"] if masked else []), "mix"]
    for number, sample in enumerate(samples):
        top = HEAD + number * _STEP
        row = [area.axes(0.15 + (_SIDE + 0.15) * place, top, _SIDE, _SIDE) for place in range(len(columns))]
        draw_sources(row[0], row[1], sample, examples)
        if masked:
            draw_mask(row[2], sample)
        show(row[-1], sample.image)
        bars = area.axes(0.15 + (_SIDE + 0.15) * len(columns) + NAMES, top, BARS, _SIDE)
        draw_label(bars, sample, examples)
        if number == 0:
            for panel, title in zip((*row, bars), (*columns, "label"), strict=True):
                panel.set_title(title, fontsize=11)


def draw_sources(first: Any, second: Any, sample: Sample, examples: Examples) -> None:
    """Draw the one or two examples with the largest weights, framed in the colours of their bars."""
    for panel, number, colour in zip((first, second), sample.sources, (OWN, OTHER), strict=False):
        show(panel, examples.pixels[number], colour)
        name = shorten(examples.class_names[int(examples.labels[number])])
        panel.set_xlabel(f"{name}: {sample.weights[number]:.0%}", fontsize=9, color=colour, labelpad=3)
    if len(sample.sources) == 1:
        second.set_axis_off()
        second.text(0.5, 0.5, "none", ha="center", va="center", color=GREY, transform=second.transAxes)
    # the example itself is a source even if none of it is left in the mix
    elif (more := int((sample.weights > 1e-6).sum()) - 2) > 0:
        second.set_ylabel(f"and {more} more", fontsize=9, color=GREY)
        second.yaxis.set_label_position("right")


def draw_mask(panel: Any, sample: Sample) -> None:
    """Draw the weight of the first source at every pixel, from the partner's colour to its own."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("mask", [OTHER, "white", OWN])
    panel.imshow(sample.share.numpy(), cmap=colours, vmin=0, vmax=1)
    frame(panel, "0.3")


def draw_label(panel: Any, sample: Sample, examples: Examples) -> None:
    """Draw the class weights of the label, the largest at the top, in the colours of their sources."""
    label = largest_classes(sample.target, examples)
    mine = [int(examples.labels[number]) for number in sample.sources]
    draw_bars(
        panel, label, [(OWN, OTHER)[mine.index(place)] if place in mine else GREY for place in label.classes]
    )


def draw_densities(plot: Any, panel: Panel) -> None:
    """Draw the densities of lambda; markers on the axis are the weights of the first sources."""
    end = max(density.end for density in panel.densities)
    x = np.linspace(0.002, 0.998, 499) * end
    for density, colour in zip(panel.densities, ("0.2", OWN, OTHER, "C2", "C3"), strict=False):
        if density.points:
            plot.plot([0, 1], [1, 1], "o", color=colour, label=density.label)
        else:
            y = density(x)
            plot.plot(x, y, color=colour, label=density.label)
            plot.fill_between(x, y, color=colour, alpha=0.12, linewidth=0)
    values = [float(sample.target[sample.sources[0]]) for sample in panel.samples]
    plot.plot(
        values,
        [0] * len(values),
        "^",
        color=OWN,
        clip_on=False,
        ms=7,
        label="shown on the left" if values else None,
    )
    tops = [float(np.quantile(density(x), 0.97)) for density in panel.densities if not density.points]
    plot.set(xlim=(0, end), ylim=(0, 1.25 * max([1.0, *tops])), xlabel="lambda", ylabel="density")
    plot.spines[["top", "right"]].set_visible(False)
    plot.tick_params(labelsize=8)
    plot.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.97), borderpad=0)


def show(panel: Any, image: Tensor, colour: str = "0.3") -> None:
    """Draw an image [ch, h, w] in a frame."""
    picture = image.clamp(0, 1).permute(1, 2, 0).numpy()
    panel.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    frame(panel, colour)


def frame(panel: Any, colour: str) -> None:
    """Draw a frame without ticks."""
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set(color=colour, linewidth=2)
