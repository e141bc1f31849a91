"""Names in mixer specs, available before the mixers, and torch with them, are imported.

A mixer's name is that of the function under `register_mixer`; here it is read from the source.
"""

import ast
import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from .errors import UsageError

PER_SAMPLE = "per_sample"
"""The word in a spec for the choice of a mixer for every example."""

SKIP = "skip"
"""The word in a spec for a step that is left out."""

GROUP = "timm_multimix.mixers"
"""The group of entry points: modules, or functions in them, that register mixers."""

_MIXERS = Path(__file__).with_name("mixers")


def unknown_mixer(name: str, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown mixer, with the name that is most like it."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UsageError(f"unknown mixer {name!r}{hint}; allowed are {', '.join(known)}")


def names_in_spec(spec: str) -> list[str]:
    """Return the mixers that a spec names, as they are written; none if it cannot be parsed."""
    try:
        return [*_names(ast.parse(spec.strip(), mode="eval").body)]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def _names(node: ast.expr) -> Iterator[str]:
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(node, ast.BinOp):
        yield from _names(node.left)
        yield from _names(node.right)
    elif isinstance(named, ast.Name) and named.id == PER_SAMPLE:
        for inner in node.args if isinstance(node, ast.Call) else ():
            yield from _names(inner)
    elif isinstance(named, ast.Name) and named.id != SKIP:
        yield named.id


@cache
def names_in_source() -> tuple[str, ...]:
    """Return the mixers of this package in the order of registration.

    Raises:
        OSError: the package is installed without its source.
    """
    imports = [node for node in _read("__init__").body if isinstance(node, ast.ImportFrom)]
    families = [alias.name for node in imports if node.module is None for alias in node.names]
    return tuple(name for family in families for node in _read(family).body for name in _registered(node))


def _read(module: str) -> ast.Module:
    return ast.parse((_MIXERS / f"{module}.py").read_text(encoding="utf-8"))


def _registered(node: ast.stmt) -> Iterator[str]:
    """Yield the name that `@register_mixer(...) def name` or `register_mixer(...)(module.name)` registers."""
    if isinstance(node, ast.FunctionDef) and any(map(_registers, node.decorator_list)):
        yield node.name
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _registers(node.value.func):
        (function,) = node.value.args
        yield ast.unparse(function).rpartition(".")[2]


def _registers(node: ast.expr) -> bool:
    function = node.func if isinstance(node, ast.Call) else node
    return isinstance(function, ast.Name) and function.id == "register_mixer"
