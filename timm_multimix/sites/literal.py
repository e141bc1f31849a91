"""Mixing the classifier's own input, the literal reading of mixing before the classifier.

The classifier then runs on the n mixed embeddings. The hooks are permanent and do nothing until a pass is to
be mixed: hooks added after torch.compile never run.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import UsageError
from ..functional import Draw
from .probe import classifiers


class InputPoint:
    """A hook that mixes the input of modules, such as classifiers, while it is armed; all by one draw."""

    def __init__(self) -> None:
        self.sample: Callable[[Tensor], Draw] | None = None
        self.draw: Draw | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "InputPoint":
        return InputPoint()

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return None if self.sample is None else self._mixed(args)

    @torch.compiler.disable
    def _mixed(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        embedding = args[0]
        if self.draw is None and self.sample is not None:
            self.draw = self.sample(embedding)
        assert self.draw is not None
        # Half precision cannot represent the small weights of large tuples.
        wide = embedding.to(torch.promote_types(embedding.dtype, torch.float32))
        return (self.draw(wide).to(embedding.dtype), *args[1:])

    def attach(self, modules: Iterable[nn.Module]) -> list[RemovableHandle]:
        """Hook the point to the inputs of modules."""
        return [module.register_forward_pre_hook(self) for module in modules]

    @contextmanager
    def mixing(self, sample: Callable[[Tensor], Draw]) -> Iterator["InputPoint"]:
        """Mix the classifiers' input in the one pass inside the context; `draw` is then its draw."""
        self.sample, self.draw = sample, None
        try:
            yield self
        finally:
            self.sample = None


class ClassifierPoints:
    """The points of a model, by the names of its classifiers' modules; no names: its own classifiers."""

    def __init__(self, model: nn.Module, wanted: Iterable[tuple[str, ...]]) -> None:
        self._points = {names: InputPoint() for names in wanted}
        for names, point in self._points.items():
            point.attach(find_classifiers(model, names))

    @contextmanager
    def mixing(self, names: tuple[str, ...], sample: Callable[[Tensor], Draw]) -> Iterator[InputPoint]:
        """Do what `InputPoint.mixing` does, for the classifiers of these names.

        Raises:
            UsageError: the pass did not call that classifier.
        """
        with self._points[names].mixing(sample) as point:
            yield point
        if point.draw is None:
            raise UsageError(
                "literal=True must be given a classifier that is called as a module, got a pass that never "
                "called it; name another with literal='module.name'"
            )


def find_classifiers(model: nn.Module, names: tuple[str, ...]) -> tuple[nn.Module, ...]:
    """Modules of these names; without names the model's own classifiers, several in distilled models.

    Raises:
        UsageError: there is no such module, or the model does not name its classifier.
    """
    modules = dict(model.named_modules())
    if unknown := [name for name in names if name not in modules]:
        raise UsageError(
            f"literal must be the name of a module, got {unknown[0]!r} and a {type(model).__name__}"
        )
    own = tuple(each for each in classifiers(model) if not isinstance(each, nn.Identity))
    if not names and not own:
        raise UsageError(
            "literal must be a module's name, literal='module.name', for a model without get_classifier, got "
            f"True and a {type(model).__name__}"
        )
    return tuple(modules[name] for name in names) or own
