"""Relations between options, as their declarations state them."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UsageError
from .declaration import Option, Options, Part, declared, flag, flat, in_use, parts

Declared = Mapping[str, Option]


def idle_under(options: Declared, name: str) -> set[str]:
    """The options that have no effect while the one called `name` is in use."""
    return {other.name for other in options.values() if name in other.facts.idle_with}


def is_idle(option: Option, values: Mapping[str, Any]) -> bool:
    """Whether an option needs others, of which none is in use."""
    needs = option.facts.needs
    return bool(needs) and not any(in_use(values.get(name)) for name in needs)


def check_given(options: Declared, chosen: Mapping[str, Any], given: Iterable[str]) -> None:
    """Find options of the command line that have no effect.

    Args:
        options: the declarations of the command.
        chosen: the values given on the command line.
        given: the names given there or in a config file.

    Raises:
        UsageError: for the first of them.
    """
    given = set(given)
    for name, value in chosen.items():
        if in_use(value) and (both := idle_under(options, name) & chosen.keys()):
            raise UsageError(
                f"{flag(min(both))} has no effect together with {flag(name)}; remove one of them"
            )
    for name, option in options.items():
        needed = option.facts.needs
        if name in chosen and needed and given.isdisjoint(needed):
            raise UsageError(f"{option.flag} has no effect without {flags(needed)}; give that as well")


def check_together(options: Options) -> None:
    """Check the values of all options of a command as a whole.

    Raises:
        UsageError: for values that exclude each other.
    """
    values = flat(options)
    used = [found for found in declared(type(options)).values() if in_use(values[found.name])]
    for found in used:
        for other, reason in found.facts.excludes.items():
            if in_use(values[other]):
                raise UsageError(
                    f"{found.flag} cannot be used with {flag(other)}, {reason}; remove one of them"
                )
        for other in found.facts.requires:
            if not in_use(values[other]):
                wanted = declared(type(options))[other]
                raise UsageError(
                    f"{found.flag} needs {wanted.flag} {wanted.facts.metavar}; give that as well"
                )
    for part in parts(options):
        part.check()


def overruled(options: Declared, below: Mapping[str, Any], given: Iterable[str]) -> dict[str, Any]:
    """Return the lower layer `below` without what `given` replaces, and without options that disable that."""
    given = set(given)
    return {
        name: value
        for name, value in below.items()
        if name not in given and given.isdisjoint(idle_under(options, name))
    }


def flags(names: Iterable[str]) -> str:
    """Return the flags of several options."""
    return " or ".join(flag(name) for name in sorted(names))


def names_of(kind: type[Part], **facts: Any) -> frozenset[str]:
    """The names of all options that have these facts, such as `recorded=False`."""
    return frozenset(
        name
        for name, found in declared(kind).items()
        if all(getattr(found.facts, fact) == value for fact, value in facts.items())
    )
