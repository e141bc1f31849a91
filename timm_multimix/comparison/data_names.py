"""Short names for the data of a comparison: as many parents of a directory as tell it from the others."""

import posixpath
from collections.abc import Collection, Iterable

from ..redaction import last_part

Parts = tuple[str, ...]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return a name for each path: its last part, with parents where another path has the same last part.

    A path that is the end of another one is taken for the same directory, given to a process in another
    working directory; if it is the end of several, it has a name of its own.
    """
    parts = {path: _parts(path) for path in paths}
    longest = {path: _longest(own, set(parts.values())) for path, own in parts.items()}
    return {path: _shortest(own, set(longest.values())) for path, own in longest.items()}


def _parts(path: str) -> Parts:
    """Return the parts of a path; the first is empty if it is absolute."""
    first, *others = posixpath.normpath(path.replace("\\", "/")).split("/")
    inner = [part for part in others if part not in ("", "..")]
    return (*([] if first in ("~", ".", "..") and inner else [first]), *inner)


def _longest(own: Parts, known: Collection[Parts]) -> Parts:
    """Return the longest path that ends with this one, unless there are several that differ."""
    longer = [parts for parts in known if _ends_with(parts, own)]
    longest = max(longer, key=len)
    return longest if all(_ends_with(longest, parts) for parts in longer) else own


def _ends_with(parts: Parts, end: Parts) -> bool:
    return parts[-len(end) :] == end


def _shortest(own: Parts, known: Collection[Parts]) -> str:
    """Return the last parts of a path, as few as no other path ends with."""
    for count in range(1, len(own) + 1):
        name = _shown(own[-count:])
        if not any(other != own and _shown(other[-count:]) == name for other in known):
            return name
    return "/".join(own)


def _shown(parts: Parts) -> str:
    return last_part(parts[0]) if len(parts) == 1 else "/".join(parts)
