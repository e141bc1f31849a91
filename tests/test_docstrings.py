"""Docstrings of the public API: every argument is described, and every example runs."""

import doctest
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import timm
import torch

import timm_multimix
from timm_multimix import functional, mixers, models
from timm_multimix.functional.docstrings import complete_docstring, read_arguments, split_sections
from timm_multimix.mixers import registry

GLOBALS = {
    "torch": torch,
    "timm": timm,
    "timm_multimix": timm_multimix,
    "F": functional,
    "mixers": mixers,
    **{name: getattr(timm_multimix, name) for name in timm_multimix.__all__},
}


def _public() -> Iterator[tuple[str, Any]]:
    for module in (timm_multimix, functional, mixers, models):
        for name in module.__all__:
            if not inspect.ismodule(getattr(module, name)):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", getattr(module, name)


# each once: some are in two modules
PUBLIC = {name: each for each, name in {each: name for name, each in _public()}.items()}
FUNCTIONS = {name: each for name, each in PUBLIC.items() if inspect.isroutine(each)}
CLASSES = {name: each for name, each in PUBLIC.items() if inspect.isclass(each)}
# Their examples train or need a run of the reader's; tests/api runs these functions.
ONLY_READ = {"timm_multimix.Run", "timm_multimix.compare", "timm_multimix.train"}


def examples(thing: Any) -> list[doctest.Example]:
    """Those in the section of this name, which the site shows as code."""
    _, sections = split_sections(inspect.getdoc(thing) or "")
    return doctest.DocTestParser().get_examples(sections.get("Examples", ""))


@pytest.mark.parametrize("name", PUBLIC)
def test_there_is_an_example(name: str) -> None:
    assert examples(PUBLIC[name])


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - ONLY_READ))
def test_examples_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entry_points", dict(registry._entry_points))
    torch.manual_seed(0)
    test = doctest.DocTest(examples(PUBLIC[name]), dict(GLOBALS), name, None, None, None)
    printed: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=printed.append)
    assert result.failed == 0, "".join(printed)


@pytest.mark.parametrize("name", sorted(ONLY_READ))
def test_examples_that_are_only_read_are_python(name: str) -> None:
    for example in examples(PUBLIC[name]):
        compile(example.source, name, "exec")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_of_a_function_is_described(name: str) -> None:
    assert undescribed(FUNCTIONS[name], FUNCTIONS[name]) == []


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_of_a_class_is_described(name: str) -> None:
    own = CLASSES[name].__init__
    if own is not object.__init__ and not getattr(CLASSES[name], "_is_protocol", False):
        assert undescribed(own, CLASSES[name]) == []


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (name, method)
        for name, each in CLASSES.items()
        for method, found in vars(each).items()
        if inspect.isfunction(found) and (not method.startswith("_") or method == "__call__")
    ],
)
def test_methods_have_docstrings(name: str, method: str) -> None:
    assert inspect.getdoc(getattr(CLASSES[name], method))


def undescribed(function: Callable[..., Any], documented: Any) -> list[str]:
    """The parameters of a function that `Args:` of a docstring leaves out."""
    described = {each.lstrip("*") for each in read_arguments(inspect.getdoc(documented) or "")}
    return [each for each in inspect.signature(function).parameters if each not in described | {"self"}]


def test_shared_arguments_are_completed_in_order() -> None:
    docstring = "Mix.\n\nArgs:\n    beta: a number,\n        from 0.\n\nRaises:\n    ValueError: never."
    wanted = (
        "Mix.\n\nArgs:\n"
        "    x: batch [b, ...] to mix; it is not changed.\n"
        "    beta: a number, from 0.\n\n"
        "Returns:\n    A tensor.\n\n"
        "Raises:\n    ValueError: never."
    )
    assert complete_docstring(docstring, ["x", "beta", "unknown"], "    A tensor.") == wanted
    assert complete_docstring("Mix.", ["unknown"]) == "Mix."
