"""The class of all mixers: a draw, and the place in the network where it is applied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from ..errors import UsageError
from ..functional import Draw
from ..functional.attention import AttentionScore
from ..functional.checks import Check, one_of
from .places import ANY_PLACE

# The input and the first two stages after the stem, as in the Manifold mixup paper's networks for CIFAR.
FIRST_LAYERS = (0, "stage 1", "stage 2")


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def check_layers(layers: Any, place: str) -> None:
    """Check that layers are chosen at the place that has some."""
    if place != "hidden" and _as_tuple(layers) not in ((), FIRST_LAYERS):
        raise UsageError(f"layers must be given with place='hidden', got place={place!r}")


def _is_layer(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


layer_list = Check(
    "a stage number (0: the input), 'stage k', a module's name, or a tuple of at least one of them",
    lambda value: _as_tuple(value) != () and all(map(_is_layer, _as_tuple(value))),
    _as_tuple,
)

PlaceName = Annotated[str, one_of(*ANY_PLACE)]
Layers = Annotated[tuple[int | str, ...], layer_list]


@dataclass
class Context:
    """What a mixer may use besides the tensor to mix: a generator, labels, and results of its place.

    The fields from `gradient` on are guides, each computed only for mixers that name it in `needs`.

    Args:
        generator: source of all random numbers of the step.
        labels: of the clean examples: class indices [b] (integers), values [b] or targets [b, c]; None: there
            are none.
        attention: attention of each example at each position, [r, b]; only at the place `positions`.
        gradient: gradient of the loss with respect to the clean images, [b, ch, h, w].
        features: the last feature map of the clean images, [b, d, h, w].
        activation: the model's probability of the own class at every position, [b, h, w].
        evidence: the logit of the own class at every position, [b, h, w].
        received: the attention that all positions pay to each one, [b, h, w].

    Examples:
        >>> context = mixers.Context(torch.Generator().manual_seed(0))
        >>> mixer = create_mixer("mixup").branches[0][1].mixer
        >>> mixer.sample(torch.rand(4, 3, 8, 8), context).lam.shape
        torch.Size([1])
    """

    generator: torch.Generator
    labels: Tensor | None = None
    attention: Tensor | None = None
    gradient: Tensor | None = None
    features: Tensor | None = None
    activation: Tensor | None = None
    evidence: Tensor | None = None
    received: Tensor | None = None


class Shown(NamedTuple):
    """Results of a training pass over mixed images, for labels that depend on it.

    Args:
        attention: attention of the class, [b, h, w], which adds up to one.
        logits: [b, c].
        labels: labels of the clean examples, indices [b] or targets [b, c]; None: there are none.
    """

    attention: Tensor
    logits: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class Mixer:
    """A method, ready to use: `sample(x, context)` returns the draw for the tensor x [b, ...] at `place`.

    Args:
        name: its name.
        sample: the function that draws.
        place: one of `PLACES`.
        layers: candidates of the place `hidden`, of which one is chosen for every batch: 0 is the input, k
            the k-th entry of the model's `feature_info`, 'stage k' its k-th after the stem, another string a
            module's name.
        gather: whether the examples of all processes are mixed; for the place `embedding`.
        row_per_example: whether row i of the result belongs to example i.
        parts: the mixers that it chooses from for every example.
        needs: the guides, fields of Context, that `sample` reads; each costs a pass through the model.
        complete: for the place `input`: returns the final draw, given the draw and the results of the
            training pass over the mixed images.
        solver: whether drawing waits for a solver on the CPU.
        attention: the score of the positions' attention, for the place `positions`.
        classifiers: names of the modules at the place `classifier`; none: the model's own classifier.
        arguments: the arguments of `sample` by name, for display.

    Examples:
        >>> create_mixer("mixup(alpha=0.2)").branches[0][1].mixer
        Mixer('mixup', place='input', alpha=0.2, per_sample=False, partner='random')
    """

    name: str
    sample: Callable[[Tensor, Context], Draw]
    place: str = "input"
    layers: tuple[int | str, ...] = ()
    gather: bool = False
    row_per_example: bool = True
    parts: tuple["Mixer", ...] = ()
    needs: tuple[str, ...] = ()
    complete: Callable[[Draw, "Shown"], Draw] | None = None
    solver: bool = False
    attention: AttentionScore = "product"
    classifiers: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __repr__(self) -> str:
        layers = [f"layers={self.layers}"] if self.place == "hidden" else []
        arguments = [f"{name}={value!r}" for name, value in self.arguments.items()]
        return f"Mixer({', '.join([repr(self.name), f'place={self.place!r}', *layers, *arguments])})"

    @property
    def guides(self) -> tuple[str, ...]:
        """The guides that it or one of its parts needs."""
        return tuple(dict.fromkeys((*self.needs, *(guide for part in self.parts for guide in part.guides))))

    @property
    def guided(self) -> bool:
        """Whether images alone are not enough to draw, as a model is needed."""
        return bool(self.guides) or self.complete is not None

    def choose(self, generator: torch.Generator) -> "Mixer":
        """Return the mixer for one batch: with one of its layers if it has several.

        Args:
            generator: source of the choice.
        """
        if self.place != "hidden":
            return self
        layer = self.layers[int(torch.randint(len(self.layers), (), generator=generator, device="cpu"))]
        return replace(self, place="input" if layer == 0 else "hidden", layers=(layer,))

    def names(self) -> list[str]:
        """Return the names of the registered mixers in it."""
        return [name for part in self.parts for name in part.names()] if self.parts else [self.name]
