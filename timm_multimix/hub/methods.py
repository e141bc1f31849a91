"""The methods in a mixer spec, and their papers."""

import warnings
from typing import NamedTuple

from ..errors import UsageError
from ..mixers import Paper, create_mixer
from ..mixers.registry import describe, find_entry_point


class Method(NamedTuple):
    """A mixer's name, what it does, and where it is from."""

    name: str
    description: str
    paper: Paper | None

    @property
    def arxiv(self) -> str | None:
        """The paper's number on arXiv."""
        return self.paper.arxiv if self.paper else None


def methods(spec: str) -> list[Method]:
    """The methods a spec mixes by, in its order; none where a mixer is not registered here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixers = [mixer for _, step in create_mixer(spec).branches for mixer in step.mixers]
        names = dict.fromkeys(name for mixer in mixers for name in mixer.names())
        return [_method(name) for name in names if name != "none"]
    except UsageError:
        return []


def _method(name: str) -> Method:
    return Method(name, describe(name).rstrip("."), find_entry_point(name).paper)


def unique_citations(found: list[Method]) -> list[str]:
    """One BibTeX entry a paper."""
    return list(dict.fromkeys(method.paper.bibtex for method in found if method.paper))
