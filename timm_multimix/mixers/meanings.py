"""Descriptions of the arguments of mixers, for pages and `timm-multimix list`."""

import inspect
from collections.abc import Callable
from typing import Any

from ..functional.docstrings import SHARED, read_arguments, split_sections

COMMON = {name: text.removesuffix(".") for name, text in SHARED.items()} | {
    "saliency": "source of the saliency: the images alone, or the gradient of their loss",
    "place": "where it mixes",
    "layers": "at place='hidden', of which one is chosen for every batch: 0 is the input, k the k-th entry "
    "of the model's feature_info, 'stage k' its k-th behind the stem, another string a module's name",
    "other": "the spec that mixes the other batches",
    "gather": "whether the examples of all processes are mixed, each process making n tuples; only logits "
    "and targets travel",
}
"""Descriptions by argument name; the docstring of a mixer takes precedence."""


def read_text(docstring: str) -> str:
    """Return a docstring without its sections: summary and paragraphs."""
    return split_sections(docstring)[0]


def read_meanings(function: Callable[..., Any]) -> dict[str, str]:
    """Return what a function's docstring says of its arguments, by name, without the last period."""
    found = read_arguments(inspect.getdoc(function) or "")
    return {name: text.removesuffix(".") for name, text in found.items()}
