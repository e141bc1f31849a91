"""Text from users inside Markdown: escaped, on one line or in one block."""

import re

_SPECIAL = re.compile(r"([\\`*\[\]#$~!{}|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"})


class Markup(str):
    """Text that is already Markdown."""


def one_line(text: object) -> str:
    """Return a text on one line, without control and formatting characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def escape(value: object) -> str:
    """Escape a value so that Markdown and HTML show it literally; `Markup` is not changed."""
    if isinstance(value, Markup):
        return value
    text = _SPECIAL.sub(r"\\\1", one_line(value)).translate(_ENTITIES)
    return text.replace("://", "&#58;//").replace("www.", "www&#46;")


def code(text: object) -> Markup:
    """Return a code span, not for tables; the fence is longer than any run of backticks inside."""
    line = one_line(text)
    fence = "`" * (_longest(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return Markup(f"{fence}{pad}{line}{pad}{fence}")


def block(text: str, language: str = "") -> Markup:
    """Return a fenced code block."""
    fence = "`" * max(3, _longest(text) + 1)
    return Markup(f"{fence}{language}\n{text}\n{fence}")


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
