"""The licences that the Hub knows, by its identifiers."""

import difflib
import re
from functools import cache
from importlib.resources import files

from ..errors import UsageError


@cache
def known_licenses() -> frozenset[str]:
    """The identifiers of https://huggingface.co/docs/hub/repositories-licenses; `other` is for the rest."""
    return frozenset(files(__package__).joinpath("licenses.txt").read_text("utf-8").split())


def parse_license(text: str) -> str:
    """Return the identifier of a licence, in any spelling of capitals and separators.

    Raises:
        UsageError: the Hub does not know it; the message names the nearest.
    """
    wanted = re.sub(r"[\s_]+", "-", text.strip().lower())
    if wanted in known_licenses():
        return wanted
    nearest = difflib.get_close_matches(wanted, sorted(known_licenses()), n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise UsageError(
        f"a licence must be one that the Hub knows, such as apache-2.0, mit or other, got {text!r}; "
        f"{hint}https://huggingface.co/docs/hub/repositories-licenses lists them"
    )
