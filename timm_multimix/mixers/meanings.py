"""What the arguments of mixers mean: from `Args:` of a docstring, or from here for those of many mixers."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from .. import functional as F

_SECTION = re.compile(r"\n\n(Args|Returns|Raises|Example):\n")
_ARGUMENT = re.compile(r"^    (\w+): ", re.MULTILINE)


def read_text(docstring: str) -> str:
    """The docstring without its sections: summary and paragraphs."""
    return _SECTION.split(f"{docstring}\n")[0].rstrip()


def read_meanings(function: Callable[..., Any]) -> dict[str, str]:
    """What a function's docstring says of its arguments: by name, a line without the last period."""
    parts = _SECTION.split(inspect.getdoc(function) or "")
    arguments = dict(zip(parts[1::2], parts[2::2], strict=True)).get("Args", "")
    _, *found = _ARGUMENT.split(f"\n{arguments}")
    texts = (" ".join(text.split()).removesuffix(".") for text in found[1::2])
    return dict(zip(found[::2], texts, strict=True))


_OF_FUNCTIONS = read_meanings(F.multimix) | read_meanings(F.mixup)

COMMON = _OF_FUNCTIONS | {
    "alpha": "concentration of lambda ~ Beta(alpha, alpha), the example's own share: 1 draws it evenly from "
    "0 to 1, more draws it closer to 1/2, less closer to 0 or 1, and 0 does not mix",
    "per_sample": "whether every example has a draw of its own; else the batch has one",
    "saliency": "what it is made of: the images alone, or the gradient of their loss",
    "place": "where it mixes",
    "layers": "at place='hidden', of which one is chosen for every batch: 0 is the input, k the k-th entry "
    "of the model's feature_info, 'stage k' its k-th behind the stem, another string a module's name",
    "other": "the spec that mixes the other batches",
    "gather": "whether the examples of all processes are mixed, each process making n tuples; only logits "
    "and targets travel",
}
"""By argument; a mixer's own docstring goes before."""
