"""Render a comparison as a Markdown and an HTML page from the same variables."""

import base64
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template

from ..markdown import Markup, block, escape
from . import formatting
from .evaluated import lower_is_better
from .table import Comparison

CAPTIONS = {
    "curves": "Mean evaluation accuracy over seeds; the band is one standard deviation to either side.",
    "curves-end": "The last third of training; an arm far below the others is cut off.",
    "bars": "A dot is a seed, the line their mean, the box one standard deviation to either side.",
    "differences": "Paired by seed: the mean difference and its 95 % confidence interval (Student's t).",
}
"""Caption and alternative text of each image."""


def describe(comparison: Comparison) -> dict[str, Any]:
    """Return the variables of both templates."""
    base, metric = comparison.baseline.label, comparison.metric
    return {
        "title": comparison.title,
        "subtitle": formatting.subtitle(comparison),
        "baseline": base,
        "header": formatting.header(metric),
        "rows": [formatting.cells(row) for row in comparison.rows],
        "better": [bool(row.difference and row.difference.excludes_zero) for row in comparison.rows],
        "verdicts": [
            (r.label, formatting.verdict(r, comparison)) for r in comparison.rows if not r.is_baseline
        ],
        "caveats": comparison.caveats,
        "memorized_header": formatting.MEMORIZED_HEADER,
        "memorized": formatting.memorized_cells(comparison),
        "evaluated_header": ["", *(arm.label for arm in comparison.arms)],
        "evaluated": formatting.evaluated_cells(comparison),
        "lower_is_better": lower_is_better(comparison.arms),
        "run_header": formatting.run_header(metric),
        "runs": formatting.run_cells(comparison),
        "shared": formatting.key_facts(comparison),
        "hardware": comparison.facts.get("hardware"),
        "command": comparison.command,
        "captions": CAPTIONS,
    }


def make_markdown(comparison: Comparison) -> str:
    """Return the text of comparison.md, which links the images in the same directory."""
    return _template("comparison.md").render(describe(comparison))


def make_html(comparison: Comparison, light: Mapping[str, bytes], dark: Mapping[str, bytes]) -> str:
    """Return comparison.html, self-contained, with images for light and dark mode."""
    pictures = {name: (_data_uri(light[name]), _data_uri(dark[name])) for name in light}
    return _template("comparison.html").render(describe(comparison) | {"pictures": pictures})


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


@cache
def _template(name: str) -> Template:
    """Return a template that escapes all values for its kind of page."""
    is_html = name.endswith(".html")
    environment = Environment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        autoescape=is_html,
        finalize=None if is_html else escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cells": _cells, "shell": lambda text: block(text, "shell")}
    return environment.from_string(files(__package__).joinpath("templates", name).read_text("utf-8"))


def _cells(texts: list[str]) -> Markup:
    """Join texts to the cells of a row of a Markdown table."""
    return Markup(" | ".join(escape(text) for text in texts))
