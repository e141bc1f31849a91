"""What a mixer spec names, and the papers behind it."""

import re
import warnings
from typing import NamedTuple

from ..errors import UsageError
from ..mixers import create_mixer
from ..mixers.registry import describe

_ARXIV = re.compile(r"\s*\(arXiv:(\d{4}\.\d{4,5})\)")

MULTIMIX = """@inproceedings{venkataramanan2023embedding,
  title     = {Embedding Space Interpolation Beyond Mini-Batch, Beyond Pairs and Beyond Examples},
  author    = {Venkataramanan, Shashanka and Kijak, Ewa and Amsaleg, Laurent and Avrithis, Yannis},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023}
}"""


class Method(NamedTuple):
    """A mixer's name, what it does, and its paper's number on arXiv."""

    name: str
    description: str
    arxiv: str | None

    @property
    def citation(self) -> str | None:
        """A BibTeX entry."""
        if self.arxiv == "2311.05538":
            return MULTIMIX
        if self.arxiv is None:
            return None
        title = self.description.partition(":")[0]
        entries = {"title": title, "eprint": self.arxiv, "archivePrefix": "arXiv"}
        body = ",\n".join(f"  {name:13} = {{{value}}}" for name, value in entries.items())
        return f"@misc{{{self.name},\n{body}\n}}"


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
    text = describe(name)
    found = _ARXIV.search(text)
    return Method(name, _ARXIV.sub("", text).strip().rstrip("."), found[1] if found else None)


def unique_citations(found: list[Method]) -> list[str]:
    """One BibTeX entry a paper."""
    return list(dict.fromkeys(method.citation for method in found if method.citation))
