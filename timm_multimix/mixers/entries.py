"""Entries of the registry: functions that make a mixer, or that draw, with arguments, checks and paper."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from inspect import Parameter
from typing import Any

from ..functional.checks import Check, check_all, checks_of, one_of
from .drawing import GUIDES, WITHOUT_MODEL, draw_of, draw_with
from .meanings import COMMON, read_meanings
from .mixer import FIRST_LAYERS, Mixer, check_layers, layer_list
from .places import PLACES
from .sources import Agreement, Paper
from .step import Branches


class Entry:
    """A registered mixer: what makes it, with which arguments, and its source.

    Args:
        function: gives the mixer its name and docstring.
        make: makes the mixer from checked arguments by name.
        parameters: the arguments.
        checks: checks of the arguments, by name.
        paper: the source of the method.
        agreement: how the mixer agrees with it.

    Raises:
        ValueError: a parameter has no default.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        make: Callable[..., "Mixer | Branches"],
        parameters: list[Parameter],
        checks: dict[str, Check],
        paper: Paper | None,
        agreement: Agreement | None,
    ) -> None:
        self.name, self.paper, self.agreement = function.__name__, paper, agreement
        self.__doc__ = inspect.getdoc(draw_of(function))
        self._meanings = COMMON | getattr(function, "meanings", read_meanings(draw_of(function)))
        self.__signature__ = inspect.Signature(parameters)
        self._make, self._checks = make, checks
        if missing := [each.name for each in parameters if each.default is Parameter.empty]:
            raise ValueError(f"arguments of mixer {self.name} must have defaults, got none for {missing}")

    def meaning(self, argument: str) -> str:
        """Return the description of an argument, with the words that it may be; empty if there is none."""
        check, meaning = self._checks.get(argument), self._meanings.get(argument, "")
        choices = check.wanted if check and check.wanted.startswith("one of ") else ""
        return "; ".join(part for part in (meaning, choices) if part)

    def __call__(self, *args: Any, **kwargs: Any) -> "Mixer | Branches":
        return self._make(**_checked(self.__signature__, self._checks, args, kwargs))


def making_entry(
    function: Callable[..., "Mixer | Branches"], paper: Paper | None, agreement: Agreement | None
) -> Entry:
    """Return the entry of a function that makes a mixer, or several.

    Args:
        function: all its parameters have defaults.
        paper: the source of the method.
        agreement: how the mixer agrees with it.
    """
    parameters = list(inspect.signature(function).parameters.values())
    return Entry(function, function, parameters, checks_of(function), paper, agreement)


def drawing_entry(
    function: Callable[..., Any],
    paper: Paper | None,
    agreement: Agreement | None,
    place: str | tuple[str, ...] = "input",
    guide: str | tuple[str, ...] = (),
    row_per_example: bool = True,
    solver: bool = False,
    check: Callable[..., None] | None = None,
) -> Entry:
    """Return the entry of a function that draws, with the arguments that choose place, layers and guide.

    Args:
        function: `(x, ..., generator) -> Draw`, or one of `functional`.
        paper: the source of the method.
        agreement: how the mixer agrees with it.
        place: where it can mix; if there are several places, the argument `place` chooses, and the first is
            its default.
        guide: the source of the function's second parameter, one of `drawing.GUIDES`; if there are several,
            the argument of that parameter's name chooses, and the first is its default.
        row_per_example: whether row i of the result belongs to example i.
        solver: whether drawing waits for a solver on the CPU.
        check: called with the arguments by name; raises ValueError if they do not go together.
    """
    places, guides = _as_tuple(place), _as_tuple(guide)
    _check_declared(function, places, guides)
    _, *parameters = inspect.signature(function).parameters.values()
    guided = parameters.pop(0).name if guides else ""
    parameters = [each for each in parameters if each.name != "generator"]
    checks = checks_of(function)
    for name, choices in ((guided, guides), ("place", places)):
        if len(choices) > 1:
            parameters.append(_parameter(name, choices[0]))
            checks[name] = one_of(*choices)
    if "hidden" in places:
        parameters.append(_parameter("layers", FIRST_LAYERS))
        checks["layers"] = layer_list

    def make(**arguments: Any) -> Mixer:
        chosen = arguments.pop("place", places[0])
        layers = arguments.pop("layers", ())
        check_layers(layers, chosen)
        by = arguments.pop(guided, guides[0]) if guides else None
        if check is not None:
            check(**arguments)
        sample = partial(draw_with, function, arguments, guide=by)
        needs = (by,) if by and by not in WITHOUT_MODEL else ()
        return Mixer(
            function.__name__,
            sample,
            chosen,
            layers,
            row_per_example=row_per_example,
            needs=needs,
            solver=solver,
            arguments=arguments,
        )

    return Entry(function, make, parameters, checks, paper, agreement)


def _check_declared(function: Callable[..., Any], places: tuple[str, ...], guides: tuple[str, ...]) -> None:
    for what, values, known in (("place", places, PLACES), ("guide", guides, GUIDES)):
        if unknown := [value for value in values if value not in known]:
            raise ValueError(f"{what} must be of {', '.join(known)}, got {unknown[0]!r}")
    if "generator" not in inspect.signature(function).parameters:
        raise ValueError(
            f"mixer {function.__name__} must have a parameter generator, its source of randomness"
        )


def extending(
    draw: Callable[..., Any], after: str | None = None, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function that makes mixers the arguments of one that draws, with their defaults and checks.

    Args:
        draw: the function whose parameters with defaults are taken over.
        after: the argument after which the function's own follow; None: after all.
        without: arguments that are not taken over.

    Returns:
        A decorator. The decorated function gets the arguments for `draw` as a dictionary, then its own.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        taken = [
            each
            for each in inspect.signature(draw).parameters.values()
            if each.default is not Parameter.empty and each.name not in ("generator", *without)
        ]
        names = [each.name for each in taken]
        _, *own = inspect.signature(function).parameters.values()
        cut = len(names) if after is None else names.index(after) + 1
        signature = inspect.Signature([*taken[:cut], *own, *taken[cut:]])
        checks = checks_of(draw) | checks_of(function)

        @wraps(function)
        def make(*args: Any, **kwargs: Any) -> Any:
            values = _checked(signature, checks, args, kwargs)
            return function({name: values.pop(name) for name in names}, **values)

        described: Any = make
        described.__signature__, described.__annotations__ = signature, {}
        described.meanings = read_meanings(draw_of(draw)) | read_meanings(function)
        return make

    return decorate


def _checked(
    signature: inspect.Signature, checks: dict[str, Check], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call by name, with their defaults, checked and converted."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return check_all(checks, bound.arguments)


def _parameter(name: str, default: Any) -> Parameter:
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
