"""Spec strings: `multimix(n=500)`, `mixup | cutmix`, `0.3*none | 0.7*multimix`, `per_sample(mixup | cutmix)`.

Parsed, never evaluated.
"""

import ast
from typing import Any

from ..errors import UsageError, quoted
from .choice import PER_SAMPLE, per_sample
from .mixer import Branches, weighted
from .registry import build

_LONGEST = 10_000


def parse_spec(spec: str) -> Branches:
    """The weighted mixers that a spec string names.

    Raises:
        UsageError: not a spec, or an unknown mixer, argument or value; the message lists what is allowed.
    """
    if not isinstance(spec, str):
        raise UsageError(f"mixer spec {spec!r} given, allowed is a string such as 'mixup | cutmix'")
    if len(spec) > _LONGEST:
        raise UsageError(f"mixer spec of {len(spec)} characters given, at most {_LONGEST} are allowed")
    try:
        tree = ast.parse(spec.strip(), mode="eval").body
        return weighted(*(_term(node, spec) for node in _alternatives(tree)))
    except UsageError:
        raise
    # a ValueError: surrogates, or numbers of too many digits to be said
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        raise _unreadable(spec) from None


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """The operands of `a | b | c`, left to right."""
    operands = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        operands.append(node.right)
        node = node.left
    return [node, *reversed(operands)]


def _term(node: ast.expr, spec: str) -> tuple[float, Branches]:
    """A mixer with its weight, 1 unless `weight*mixer` is written."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return 1.0, weighted(*(_term(part, spec) for part in _alternatives(node)))
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return 1.0, _call(node, spec)
    weight = _value(node.left, spec)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
        raise UsageError(f"weight {weight!r} given in mixer spec {spec!r}, allowed is a positive number")
    return float(weight), _term(node.right, spec)[1]


def _call(node: ast.expr, spec: str) -> Branches:
    if isinstance(node, ast.Name) and node.id != PER_SAMPLE:
        return build(node.id)
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Name) and named.id == PER_SAMPLE:
        return _per_sample(node, spec)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise _unreadable(spec)
    args = tuple(_value(arg, spec) for arg in node.args)
    kwargs = {key.arg: _value(key.value, spec) for key in node.keywords if key.arg is not None}
    if len(kwargs) < len(node.keywords):
        raise _unreadable(spec)
    return build(node.func.id, args, kwargs)


def _per_sample(node: ast.expr, spec: str) -> Branches:
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        example = "per_sample(mixup | 0.5*cutmix)"
        raise UsageError(f"{PER_SAMPLE} in mixer spec {quoted(spec)} takes mixers alone, such as {example}")
    return ((1.0, per_sample(weighted(*(_term(part, spec) for part in _alternatives(node.args[0]))))),)


def _value(node: ast.expr, spec: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _unreadable(spec) from None


def _unreadable(spec: str) -> UsageError:
    example = "'multimix(n=500) | 0.3*none'"
    return UsageError(f"cannot read mixer spec {quoted(spec)}; write names with arguments such as {example}")
