"""Parser of spec strings; nothing in them is evaluated.

`multimix(n=500)` is a mixer with arguments; `0.3*none | 0.7*mixup` chooses one for every batch, and
`per_sample(mixup | cutmix)` one for every example; `none + mixup(alpha=10)` adds two losses in one step;
`cutmix >> multimix(m=4, p=1)` mixes again what is already mixed; `0.5*mixup | 0.5*skip` leaves half of the
steps out.
"""

import ast
from functools import reduce
from typing import Any

from ..errors import UsageError, quoted
from ..mixer_names import PER_SAMPLE, SKIP
from .choice import per_sample
from .registry import build
from .step import Branches, Step, added, as_branches, composed, weighted

_LONGEST = 10_000


def parse_spec(spec: str) -> Branches:
    """Return the weighted steps of a spec string.

    Raises:
        UsageError: not a spec, or an unknown mixer, argument or value; the message lists what is allowed.
    """
    if not isinstance(spec, str):
        raise UsageError(f"a mixer spec must be a string such as 'mixup | cutmix', got {spec!r}")
    if len(spec) > _LONGEST:
        raise UsageError(f"a mixer spec must have at most {_LONGEST} characters, got {len(spec)}")
    try:
        tree = ast.parse(spec.strip(), mode="eval").body
        return weighted((1.0, _unweighted(tree, spec)))
    except UsageError:
        raise
    # ValueError: surrogates, or integers with more digits than Python converts to strings
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        raise _unreadable(spec) from None


def _branches(node: ast.expr, spec: str) -> Branches:
    """Parse an expression: alternatives `a | b`, a sum `a + b`, a chain `a >> b`, or a mixer."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return weighted(*(_term(part, spec) for part in _operands(node, ast.BitOr)))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return added(_term(part, spec) for part in _operands(node, ast.Add))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
        return reduce(composed, (_unweighted(part, spec) for part in _operands(node, ast.RShift)))
    return _call(node, spec)


def _operands(node: ast.expr, sign: type[ast.operator]) -> list[ast.expr]:
    """Return the operands of `a | b | c`, left to right, or of another sign."""
    operands = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, sign):
        operands.append(node.right)
        node = node.left
    return [node, *reversed(operands)]


def _term(node: ast.expr, spec: str) -> tuple[float, Branches]:
    """Parse an alternative or a summand with its weight, 1 unless `weight*mixer` is written."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return 1.0, _branches(node, spec)
    weight = _value(node.left, spec)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
        raise UsageError(f"weights in a mixer spec must be positive numbers, got {weight!r} in {spec!r}")
    inner, branches = _term(node.right, spec)
    return weight * inner, branches


def _unweighted(node: ast.expr, spec: str) -> Branches:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        raise UsageError(
            "a weight in a mixer spec must stand before an alternative of | or a summand of +, "
            f"got {quoted(spec)}; a chain is weighted as 0.5*(a >> b)"
        )
    return _branches(node, spec)


def _call(node: ast.expr, spec: str) -> Branches:
    if isinstance(node, ast.Name) and node.id == SKIP:
        return ((1.0, Step(())),)
    if isinstance(node, ast.Name) and node.id != PER_SAMPLE:
        return build(node.id)
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Name) and named.id == PER_SAMPLE:
        return _per_sample(node, spec)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise _unreadable(spec)
    return build(node.func.id, *_arguments(node, spec))


def _arguments(node: ast.Call, spec: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args = tuple(_value(arg, spec) for arg in node.args)
    kwargs = {key.arg: _value(key.value, spec) for key in node.keywords if key.arg is not None}
    if len(kwargs) < len(node.keywords):  # `**` of something
        raise _unreadable(spec)
    return args, kwargs


def _per_sample(node: ast.expr, spec: str) -> Branches:
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        example = "per_sample(mixup | 0.5*cutmix)"
        raise UsageError(f"{PER_SAMPLE} in mixer spec {quoted(spec)} takes mixers alone, such as {example}")
    return as_branches(per_sample(weighted((1.0, _unweighted(node.args[0], spec)))))


def _value(node: ast.expr, spec: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _unreadable(spec) from None


def _unreadable(spec: str) -> UsageError:
    example = "'multimix(n=500) | 0.3*none'"
    return UsageError(f"cannot read mixer spec {quoted(spec)}; write names with arguments such as {example}")
