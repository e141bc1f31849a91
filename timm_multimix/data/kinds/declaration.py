"""The declaration of a kind of data."""

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import UsageError
from ...options.data import DataOptions
from ...options.declaration import Trait, declared
from ...records.tasks import CLASSIFICATION
from ..collection import Collection
from ..request import Request


@dataclass(frozen=True)
class Kind:
    """Data that `--dataset` can name.

    Args:
        title: what it is.
        form: how `--dataset` names it.
        about: what is expected of it, and what its splits and classes are; Markdown for docs/data.md.
        matches: whether a request is for data of this kind, asked in the order of `KINDS`.
        open: the data.
        traits: properties of data of this kind; options for data with other properties are refused.
    """

    title: str
    form: str
    about: str
    matches: Callable[[Request], bool]
    open: Callable[[Request], Collection]
    traits: frozenset[Trait] = frozenset()

    @property
    def options(self) -> list[str]:
        """The names of the options for data of this kind."""
        return [name for name, option in declared(DataOptions).items() if option.facts.trait in self.traits]

    def check(self, request: Request) -> None:
        """Check that no option is given that has no effect on data of this kind.

        Raises:
            UsageError: one is.
        """
        for name, option in declared(DataOptions).items():
            trait = option.facts.trait
            if trait is None or trait in self.traits:
                continue
            value = getattr(request, name)
            if value and value not in (option.default, CLASSIFICATION):
                given = "" if value is True else f" {value}"
                raise UsageError(f"`{name}`{given}: '{request.dataset}' {trait.value}")


TABLE = frozenset({Trait.COLUMNS, Trait.TARGETS})
"""Traits of tables."""
