"""Options as typed declarations, from which parser, config, relations and records are derived.

A command's options are a frozen dataclass (`Options`) made of parts (`Part`), one for each concern. A field
made by `option` declares one option: its type and check are the annotation, its flag is its name with dashes,
and whatever else is known about it stands in its `Facts`. Names are unique within a command, at any depth.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

REQUIRED = MISSING
"""The default of an option that the user must give."""


class Arms(Enum):
    """How the arms of a comparison may use a training option; the value is the reason if they may not."""

    ANY = ""
    TELLS_APART = "is not for all arms; give it before the --, as --mix SPEC"
    SET_BY_COMPARE = "is for compare to set"
    AFTERWARDS = "cannot be used in a comparison; push the run that you choose with `timm-multimix push`"


class Trait(Enum):
    """A property of data that some options need; the value completes a message about data without it."""

    COLUMNS = "has no columns (tables have them)"
    TARGETS = "has one class for each image"
    DIRECTORY = "needs none; torch/ and wds/ names and tables of paths do"
    DOWNLOAD = "cannot be downloaded that way; torch/ names can"
    STREAM = "is not on the Hub nor a directory of parquet or tar files"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known about an option besides its name, type and default."""

    help: str  # the default is added where the text does not state it
    metavar: str | tuple[str, ...] | None = None
    short: str | None = None  # a second flag, of one dash
    nargs: str | None = None  # where the type does not tell
    const: Any = None  # the value of the flag alone, with nargs "?"
    append: bool = False  # each flag adds one value
    positional: bool = False
    short_forms: Mapping[str, "Facts"] = field(default_factory=dict)  # flags that stand for a value of it
    combine: Any = None  # the value that its short forms stand for together, from theirs by name; None: off
    aliases: tuple[str, ...] = ()  # further names
    check: Any = None  # the type of a short form, as it has no annotation
    action: Any = None  # argparse's, where the type does not tell

    needs: tuple[str, ...] = ()  # without effect unless one of these is given as well
    idle_with: tuple[str, ...] = ()  # without effect while one of these is in use
    idle_on: tuple[str, ...] = ()  # without effect on such an object in the place of a name: training.given
    trait: Trait | None = None  # without effect on data that lack this
    per_class: bool = False  # defined for one class an image only
    excludes: Mapping[str, str] = field(default_factory=dict)  # in use together with none of these: reason
    requires: tuple[str, ...] = ()  # in use only with a value for these

    initial_weights: bool = False  # gives weights to start from
    recorded: bool = True  # in a run's config.yaml
    bears_on_result: bool = True  # else a resumed run may have another value
    new_in_child: bool = False  # a run that goes on from the end of another may have another value
    arms: Arms = Arms.ANY
    bare: bool = False  # its value names an arm without the option's name
    subject: bool = False  # what a run is of: another trainer's default for it is no advice
    headline: bool = False  # shown at the top of a comparison whatever its value


def option(default: Any, help: str, metavar: Any = None, **facts: Any) -> Any:
    """Declare an option as a field of a `Part`.

    Args:
        default: the value of an option that is not given, or `REQUIRED`.
        help: a line for `--help`.
        metavar: what the value is called there.
        **facts: further `Facts`.
    """
    about = {"facts": Facts(help=help, metavar=metavar, **facts)}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=about)
    return field(default=default, metadata=about)


class Part:
    """The options of one concern.

    Subclasses are frozen dataclasses; their class arguments are the `title` and `description` of the group in
    `--help`, and `Facts` that all their options share.
    """

    title: ClassVar[str | None] = None
    description: ClassVar[str | None] = None
    common: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(
        cls, title: str | None = None, description: str | None = None, **common: Any
    ) -> None:
        cls.title, cls.description, cls.common = title or cls.title, description or cls.description, common

    def check(self) -> None:
        """Check what no declaration can express. Raises: UsageError."""

    def but(self, **changes: Any) -> Self:
        """A copy in which options of these names, at any depth, have other values. Raises: TypeError."""
        if unknown := changes.keys() - declared(type(self)).keys():
            raise TypeError(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}")
        return replace(self, **dict(self._changed(changes)))  # type: ignore[type-var]

    def _changed(self, changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for entry in _fields(type(self)):
            value = getattr(self, entry.name)
            if entry.name in changes:
                yield entry.name, changes[entry.name]
            elif is_part(entry) and (inner := changes.keys() & declared(type(value))):
                yield entry.name, value.but(**{name: changes[name] for name in inner})


@dataclass(frozen=True, kw_only=True)
class Options(Part):
    """All options of a command; its class arguments are those of the parser."""

    given: frozenset[str] = frozenset()  # names chosen on the command line or in a config file

    prog: ClassVar[str]
    usage: ClassVar[str | None] = None

    def __init_subclass__(cls, prog: str = "", usage: str | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.prog, cls.usage = prog, usage

    @classmethod
    def advice(cls, name: str) -> str | None:
        """Return advice for an unknown option of this name; None if the command has none."""
        return None

    def instead(self, *others: str, **values: Any) -> Self:
        """Return a copy with these values as if they were given, instead of those set by other options."""
        changed = self.but(**dict.fromkeys(others), **values)
        return replace(changed, given=self.given - {*others} | values.keys())

    def settled(self) -> Self:
        """Return a copy in which a value that can be set in two ways is set once. Raises: UsageError."""
        return self


@dataclass(frozen=True)
class Option:
    """A declared option: the field's name, annotation and default, its facts, and the group it stands in."""

    name: str
    annotation: Any
    default: Any
    facts: Facts
    group: type[Part]

    @property
    def flag(self) -> str:
        """The option's flag."""
        return flag(self.name)


def flag(name: str) -> str:
    """Return an option's flag; a name that Python reserves ends in an underscore."""
    return "--" + name.rstrip("_").replace("_", "-")


Kind = TypeVar("Kind", bound=Part)


def declared(kind: type[Part]) -> Mapping[str, Option]:
    """All options of a command or part by name, in the order of their declarations."""
    key: Any = kind  # to mypy, classes of frozen dataclasses cannot be hashed
    return _by_name(key)


@cache
def _by_name(kind: Any) -> Mapping[str, Option]:
    return {found.name: found for found in _declared(kind, kind, {})}


def _declared(kind: type[Part], group: type[Part], common: dict[str, Any]) -> Iterator[Option]:
    common = common | kind.common
    for entry in _fields(kind):
        if is_part(entry):
            inner: Any = entry.type
            yield from _declared(inner, inner if inner.title else group, common)
        elif "facts" in entry.metadata:
            facts = _with_common(entry, common)
            yield Option(entry.name, entry.type, _default(entry), facts, group)


def _with_common(entry: Field[Any], common: dict[str, Any]) -> Facts:
    """An option's facts and those of its part; of lists of names both, but never its own."""
    facts: Facts = entry.metadata["facts"]
    own = {name: getattr(facts, name) for name in common}
    both = {
        name: (*own[name], *(other for other in value if other != entry.name))
        for name, value in common.items()
        if isinstance(value, tuple)
    }
    return replace(facts, **(common | both))


def _fields(kind: type[Part]) -> tuple[Field[Any], ...]:
    return fields(kind)  # type: ignore[arg-type]


def is_part(entry: Field[Any]) -> bool:
    """Whether a field holds further options."""
    return is_dataclass(entry.type) and isinstance(entry.type, type) and issubclass(entry.type, Part)


def _default(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def build(kind: type[Kind], values: Mapping[str, Any], given: frozenset[str] = frozenset()) -> Kind:
    """Options with these values by name, at any depth, and defaults for the rest."""
    arguments: dict[str, Any] = {"given": given} if issubclass(kind, Options) else {}
    for entry in _fields(kind):
        if is_part(entry):
            inner: Any = entry.type
            arguments[entry.name] = build(inner, values)
        elif entry.name in values:
            arguments[entry.name] = values[entry.name]
    return kind(**arguments)


def flat(options: Part) -> dict[str, Any]:
    """The values of all options by name, in the order of their declarations."""
    values: dict[str, Any] = {}
    for entry in _fields(type(options)):
        value = getattr(options, entry.name)
        if is_part(entry):
            values |= flat(value)
        elif "facts" in entry.metadata:
            values[entry.name] = value
    return values


def parts(options: Part) -> Iterator[Part]:
    """A command's options and all parts of them."""
    yield options
    for entry in _fields(type(options)):
        if is_part(entry):
            yield from parts(getattr(options, entry.name))


def in_use(value: Any) -> bool:
    """Whether a value turns its option on."""
    return bool(value) and value != "off"
