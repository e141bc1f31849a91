"""Counts of the package's structure, for the table in CONTRIBUTING.md.

`python -m tests.measures [PACKAGE]` prints the numbers of this package, or of another version's directory,
and its lines of code by part.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import median, quantiles

from timm_multimix.options import TrainOptions
from timm_multimix.options.comparison import CompareOptions
from timm_multimix.options.declaration import declared
from timm_multimix.options.evaluation import EvaluateOptions

PACKAGE = Path(__file__).resolve().parents[1] / "timm_multimix"
OPTIONS = ("options", "cli", "cli.py", "commands")
"""Where options are declared and parsed: the command line."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.Assert,
    ast.comprehension,
    ast.match_case,
)


@dataclass(frozen=True)
class Module:
    """A file of the package."""

    part: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def read(package: Path) -> list[Module]:
    """The modules of a package, with the directory or file below it that each belongs to."""
    paths = sorted(package.rglob("*.py"))
    return [Module(path.relative_to(package).parts[0], path.read_text(encoding="utf-8")) for path in paths]


def annotated(modules: list[Module], *types: str) -> Iterator[tuple[Module, Function]]:
    """The functions outside of the command line of which a parameter's type names one of these."""
    for module in modules:
        if module.part in OPTIONS:
            continue
        for function in module.functions:
            told = [ast.unparse(each.annotation) for each in _parameters(function) if each.annotation]
            if any(name in text for text in told for name in types):
                yield module, function


def _parameters(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def namespaces(modules: list[Module]) -> int:
    """Functions outside of the command line that take an argparse Namespace."""
    return len(list(annotated(modules, "Namespace")))


def readers_of_all_options(modules: list[Module]) -> int:
    """Modules outside of the command line with a function that takes all options of a training run."""
    found = annotated(modules, "Namespace", "TrainOptions")
    return len({id(module) for module, _ in found})


def defaults_stated_twice(modules: list[Module]) -> int:
    """Parameters with a default in a function of `functional` and in one of its name in `mixers`."""
    defaults: dict[str, set[tuple[str, str]]] = {"functional": set(), "mixers": set()}
    for module in modules:
        if module.part in defaults:
            for function in module.functions:
                if not function.name.startswith("_"):
                    defaults[module.part] |= {(function.name, name) for name in _with_default(function)}
    return len(defaults["functional"] & defaults["mixers"])


def _with_default(function: Function) -> set[str]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    named = [each for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    last = positional[len(positional) - len(arguments.defaults) :]
    return {each.arg for each in [*last, *named]} - {"generator"}


def option_lists(modules: list[Module]) -> int:
    """Constants that list two or more options by name, and nothing else."""
    names = {name for kind in (TrainOptions, EvaluateOptions, CompareOptions) for name in declared(kind)}
    return sum(_lists_options(value, names) for module in modules for value in _constants(module))


def _constants(module: Module) -> Iterator[ast.expr]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            yield node.value


def _lists_options(value: ast.expr, names: set[str]) -> bool:
    if not isinstance(value, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Call | ast.BinOp):
        return False
    found = (node.value for node in ast.walk(value) if isinstance(node, ast.Constant))
    words = {word for word in found if isinstance(word, str)}
    return len(words) >= 2 and words <= names


def lengths(modules: list[Module]) -> list[int]:
    """Lines of each function, without its docstring."""
    return [_lines(each) - _lines_of_docstring(each) for module in modules for each in module.functions]


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def _lines_of_docstring(function: Function) -> int:
    return _lines(function.body[0]) if ast.get_docstring(function) is not None else 0


def complex_functions(modules: list[Module]) -> float:
    """Percentage of functions with a cyclomatic complexity above 10."""
    found = [_complexity(function) for module in modules for function in module.functions]
    return 100 * sum(each > 10 for each in found) / len(found)


def _complexity(function: Function) -> int:
    nodes = list(ast.walk(function))
    words = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    return 1 + words + sum(isinstance(node, _BRANCHES) for node in nodes)


def code_lines(text: str) -> set[int]:
    """Line numbers of a module without docstrings, comments and blanks."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    strings = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    docstrings = {number for each in strings for number in range(each.lineno, (each.end_lineno or 0) + 1)}
    written = enumerate(map(str.strip, text.splitlines()), 1)
    return {number for number, line in written if line and not line.startswith("#")} - docstrings


def size(modules: list[Module]) -> int:
    """Lines of code of all modules."""
    return sum(len(code_lines(module.text)) for module in modules)


def imports(modules: list[Module]) -> int:
    """Lines of code that are imports."""
    kinds = ast.Import | ast.ImportFrom
    return sum(
        _lines(each) for module in modules for each in ast.walk(module.tree) if isinstance(each, kinds)
    )


MEASURES: dict[str, Callable[[list[Module]], float]] = {
    "functions outside of the command line that take a `Namespace`": namespaces,
    "lists of options beside their declarations": option_lists,
    "modules outside of the command line that take all options of a run": readers_of_all_options,
    "defaults of mixers stated twice": defaults_stated_twice,
    "lines of a function without its docstring, median": lambda modules: median(lengths(modules)),
    "lines of a function without its docstring, 90th percentile": lambda modules: quantiles(
        lengths(modules), n=10
    )[-1],
    "functions of a complexity above 10, %": complex_functions,
    "lines of code, without docstrings, comments and blanks": size,
}


def count(package: Path = PACKAGE) -> dict[str, float]:
    """Every measure by its name in the table."""
    modules = read(package)
    return {name: measure(modules) for name, measure in MEASURES.items()}


if __name__ == "__main__":
    for name, value in count(*map(Path, sys.argv[1:2])).items():
        print(f"{name}: {value:.5g}")
    for part, group in groupby(read(Path(sys.argv[1]) if sys.argv[1:] else PACKAGE), lambda each: each.part):
        found = list(group)
        print(f"{part}: {size(found)} lines of code in {len(found)} files, {imports(found)} of them imports")
