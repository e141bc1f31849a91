"""Text in figures."""


def literal(text: str, most: int) -> str:
    """A text that matplotlib shows as it is: one line of at most so many letters, no formula.

    A space before a leading underscore keeps the text in legends, which leave out labels that begin with one.
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    short = line if len(line) <= most else line[: most - 1] + "\u2026"
    start = " " if short.startswith("_") else ""
    return start + short.replace("$", r"\$")
