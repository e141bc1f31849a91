"""What a mixer is: how to draw, and the place in the network where the draw is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from ..functional import Draw
from ..functional.attention import AttentionScore
from ..functional.checks import Check, one_of

PLACES = ("input", "hidden", "embedding", "positions")

MAP_PLACES = ("input", "hidden")
"""Where there are images or feature maps, for masks and boxes."""

# The input and the first two stages behind the stem, as in the Manifold mixup paper's networks for CIFAR.
FIRST_LAYERS = (0, "stage 1", "stage 2")


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _is_layer(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


layer_list = Check(
    "a stage number (0: the input), 'stage k', a module's name, or a tuple of at least one of them",
    lambda value: _as_tuple(value) != () and all(map(_is_layer, _as_tuple(value))),
    _as_tuple,
)

Place = Annotated[str, one_of(*PLACES)]
Layers = Annotated[tuple[int | str, ...], layer_list]


@dataclass
class Context:
    """What a mixer may ask for beside the tensor: the step's generator, and what its place computed.

    labels: of the clean examples, class indices [b] (integers), values [b] or targets [b, c]; None where
    there are none. attention [r, b]: at `positions` only. The rest are guides, each computed only for mixers
    that name it in `needs`: gradient [b, ch, h, w] of the loss with respect to the clean images; features
    [b, d, h, w], the last feature map of the clean images; activation [b, h, w], where in them the model sees
    their class; evidence [b, h, w], the logit of their class at every position; received [b, h, w], the
    attention that the positions pay to each of them.
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
    """What a training pass over mixed images shows.

    attention [b, h, w]: of the class, adding up to one; logits [b, c]; labels: of the clean examples, indices
    [b] or targets [b, c], where there are any.
    """

    attention: Tensor
    logits: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class Mixer:
    """One method, ready to use: `sample(x, context)` gives the draw for the tensor x [b, ...] at `place`.

    place: one of PLACES, or for mixers made for that `features`, right before the head, or `classifier`,
    the input of the modules that `classifiers` names (none: of the model's own).
    layers (place `hidden`): the candidates, of which one is chosen for every batch: 0 is the input, k the
    k-th entry of the model's `feature_info`, 'stage k' its k-th behind the stem, another string a module's
    name. gather (place `embedding`): mix the examples of all processes. row_per_example: whether row i of
    what is mixed belongs to example i. parts: the mixers that it chooses from for every example. needs: the
    guides, fields of Context, that `sample` reads; each costs a pass through the model. complete (place
    `input`): gives the draw in its final form from the draw and what the training pass, the one on the
    mixed images, shows. solver: whether drawing waits for a solver on the CPU.
    attention (place `positions`): what the positions' attention is made of. arguments: what `sample` draws
    with, by name, to be shown.
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
        """Whether it draws by what the model computes, so that images alone are not enough."""
        return bool(self.guides) or self.complete is not None

    def choose(self, generator: torch.Generator) -> "Mixer":
        """The mixer for one batch: itself, with one of its layers if it has several."""
        if self.place != "hidden":
            return self
        layer = self.layers[int(torch.randint(len(self.layers), (), generator=generator))]
        return replace(self, place="input" if layer == 0 else "hidden", layers=(layer,))

    def names(self) -> list[str]:
        """The names of the registered mixers in it."""
        return [name for part in self.parts for name in part.names()] if self.parts else [self.name]
