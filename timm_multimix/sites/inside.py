"""The places inside a network where a pass is mixed while it runs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from ..functional import Draw
from ..mixers import Mixer
from .hidden import MixingPoints
from .literal import ClassifierPoints

Sample = Callable[[Tensor], Draw]


class Point(Protocol):
    """A point that mixes a pass; `draw` is the draw that it used, once the pass has run."""

    draw: Draw | None


class Site(Protocol):
    """A place of a network with the mixers of it, made before the network is compiled."""

    def __init__(self, model: nn.Module, mixers: Sequence[Mixer]) -> None: ...

    def begin(self, alone: bool) -> None:
        """A training step begins, of one pass alone or of several."""

    def mixing(self, mixer: Mixer, batch: int, sample: Sample) -> AbstractContextManager[Point]:
        """Mix the one pass, of `batch` examples, inside the context."""


class Hidden(Site):
    """Outputs of hidden layers."""

    def __init__(self, model: nn.Module, mixers: Sequence[Mixer]) -> None:
        layers = {layer for mixer in mixers for layer in mixer.layers if layer != 0}
        self.points = MixingPoints(model, sorted(layers, key=str))

    def begin(self, alone: bool) -> None:
        self.points.release()
        self.points.alone = alone

    def mixing(self, mixer: Mixer, batch: int, sample: Sample) -> AbstractContextManager[Point]:
        (layer,) = mixer.layers
        return self.points.mixing(layer, batch, sample)


class Classifier(Site):
    """The inputs of classifiers."""

    def __init__(self, model: nn.Module, mixers: Sequence[Mixer]) -> None:
        self.points = ClassifierPoints(model, sorted({mixer.classifiers for mixer in mixers}))

    def mixing(self, mixer: Mixer, batch: int, sample: Sample) -> AbstractContextManager[Point]:
        return self.points.mixing(mixer.classifiers, sample)


SITES: dict[str, Callable[[nn.Module, Sequence[Mixer]], Site]] = {
    "hidden": Hidden,
    "classifier": Classifier,
}
"""By the name of the place."""


def make_sites(model: nn.Module, mixers: Sequence[Mixer]) -> dict[str, Site]:
    """The sites of a model that mixers mix at, by the name of the place."""
    at = {place: [mixer for mixer in mixers if mixer.place == place] for place in SITES}
    return {place: SITES[place](model, chosen) for place, chosen in at.items() if chosen}
