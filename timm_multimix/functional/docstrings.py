"""Docstrings with complete `Args:`: arguments that many mixers share are described once, here."""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

SHARED = {
    "x": "batch [b, ...] to mix; it is not changed.",
    "generator": "source of all random numbers, on the tensors' device; None: torch's default generator.",
    "alpha": "concentration of lambda ~ Beta(alpha, alpha), the example's own share: 1 draws it evenly from "
    "0 to 1, more draws it closer to 1/2, less closer to 0 or 1, and 0 does not mix.",
    "per_sample": "whether every example has a draw of its own; else the batch has one.",
    "partner": "who an example is mixed with: random; reversed, example b - 1 - i, as in timm.data.Mixup; in "
    "a spec closest, or ('closest', bandwidth), by closeness of the labels as in c_mixup; in a call indices "
    "[b], such as those of `closest_partners`.",
    "saliency": "saliency of x, [b, h, w], at least 0, such as `spectral_residual(x)`.",
    "n": "mixed examples, that is tuples, of a batch.",
    "m": "examples in a tuple; None: the whole batch, which makes every mix nearly its mean.",
    "alpha_per_example": "whether each example draws an alpha of its own; else all share one.",
    "clean": "share of the tuples that are single examples, in turn: a clean term of that weight in the "
    "loss.",
    "target": "concentration of one example of each tuple, in turn, in place of alpha; None: no example "
    "leads.",
    "rest": "concentration of the others, where there is a target.",
}
"""Descriptions by argument name. The `Args:` of a function take precedence."""

_ORDER = ("Args", "Returns", "Raises", "Examples")
_SECTION = re.compile(rf"\n\n({'|'.join(_ORDER)}):\n")
_ARGUMENT = re.compile(r"^    (\*{0,2}\w+): ", re.MULTILINE)

Function = TypeVar("Function", bound=Callable[..., Any])


def split_sections(docstring: str) -> tuple[str, dict[str, str]]:
    """Split a Google-style docstring into its text and its sections by name."""
    text, *parts = _SECTION.split(f"{docstring}\n")
    sections = dict(zip(parts[::2], (part.rstrip() for part in parts[1::2]), strict=True))
    return text.rstrip(), sections


def read_arguments(docstring: str) -> dict[str, str]:
    """Return the descriptions in `Args:` by argument name, each on one line."""
    arguments = split_sections(docstring)[1].get("Args", "")
    _, *found = _ARGUMENT.split(f"\n{arguments}")
    return {name: " ".join(text.split()) for name, text in zip(found[::2], found[1::2], strict=True)}


def complete_docstring(docstring: str, parameters: Iterable[str], returns: str = "") -> str:
    """Add to `Args:` the shared arguments that a docstring leaves out, and `Returns:` if it has none.

    Args:
        docstring: in Google style, not indented.
        parameters: names of the function's parameters, in order.
        returns: body of the section `Returns:`, indented; empty: none is added.
    """
    text, sections = split_sections(docstring)
    described = SHARED | read_arguments(docstring)
    lines = [_argument(name, described[name]) for name in parameters if name in described]
    complete = {"Returns": returns} | sections | {"Args": "\n".join(lines)}
    return "\n\n".join([text, *(f"{name}:\n{complete[name]}" for name in _ORDER if complete.get(name))])


def documented(function: Function) -> Function:
    """Complete the `Args:` of a function's docstring with the shared arguments."""
    parameters = inspect.signature(function).parameters
    function.__doc__ = complete_docstring(inspect.getdoc(function) or "", parameters)
    return function


def _argument(name: str, description: str) -> str:
    return textwrap.fill(
        f"{name}: {description}",
        100,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_long_words=False,
    )
