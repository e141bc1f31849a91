"""The model with its places of mixing, as one module, so that a distributed wrapper sees one forward pass."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional import Draw, Identity
from ..mixers import Context, Mixer
from .gather import gather_rows
from .hidden import MixingPoints
from .positions import Dense, dense_forward


class Mixed(NamedTuple):
    """What a training pass gives.

    output [rows, c]: the model's logits; draw: the step's; clean: the logits [b, c] or [r, b, c] that the
    draw is still to be applied to, or None where the network has seen mixed examples; gathered: whether
    `clean` and the draw are of the examples of all processes.
    """

    output: Tensor
    draw: Draw
    clean: Tensor | None = None
    gathered: bool = False


class Student(nn.Module):
    """A model that can be run plainly, densely, or mixed at any place."""

    def __init__(self, model: nn.Module, mixers: Iterable[Mixer]) -> None:
        super().__init__()
        original = getattr(model, "_orig_mod", None)
        self.model: nn.Module = model if original is None else original
        layers = {
            layer for mixer in mixers if mixer.place == "hidden" for layer in mixer.layers if layer != 0
        }
        self.points = MixingPoints(self.model, sorted(layers, key=str))
        # Compiled callables are kept out of the module tree, where they would double every parameter's name.
        self._calls: dict[str, Callable[..., Any]] = {} if original is None else {"model": model}
        if original is not None:
            self._compile_parts(cast(Callable[..., Any], model.dynamo_ctx))

    def compile_calls(self, **options: Any) -> nn.Module:
        """Compile the passes through the model, whose parameters and names stay; gives the compiled model."""
        compiled = cast(nn.Module, torch.compile(self.model, **options))
        self._calls["model"] = compiled
        self._compile_parts(partial(torch.compile, **options))
        return compiled

    def _compile_parts(self, compile: Callable[..., Any]) -> None:
        for part in ("forward_features", "forward_head"):
            if hasattr(self.model, part):
                self._calls[part] = compile(getattr(self.model, part))

    def forward(self, images: Tensor, mixer: Mixer, generator: torch.Generator) -> Mixed:
        """One training pass, mixed at the mixer's place."""
        self.points.release()
        mix = {
            "input": self._mix_input,
            "hidden": self._mix_hidden,
            "embedding": self._mix_embedding,
            "positions": self._mix_positions,
        }[mixer.place]
        return mix(images, mixer, Context(generator))

    def logits(self, images: Tensor) -> Tensor:
        """The ordinary logits [b, c]."""
        return as_logits(self._calls.get("model", self.model)(images))

    def dense(self, images: Tensor) -> Dense:
        """The ordinary logits, with those of every position."""
        features, head = self._calls.get("forward_features"), self._calls.get("forward_head")
        return dense_forward(self.model, images, attention_grad=True, features=features, head=head)

    def _mix_input(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        draw = mixer.sample(images, context)
        output = self.logits(draw(images))
        return Mixed(output, draw, output if isinstance(draw, Identity) else None)

    def _mix_hidden(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        (layer,) = mixer.layers
        with self.points.mixing(layer, len(images), lambda x: mixer.sample(x, context)) as point:
            output = self.logits(images)
        assert point.draw is not None
        return Mixed(output, point.draw)

    def _mix_embedding(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        logits = self.logits(images)
        clean = gather_rows(logits) if mixer.gather else logits
        return Mixed(logits, mixer.sample(clean, context), clean, mixer.gather)

    def _mix_positions(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        dense = self.dense(images)
        context.attention = dense.attention
        return Mixed(dense.logits, mixer.sample(dense.positions.transpose(0, 1), context), dense.positions)


def as_logits(output: Any) -> Tensor:
    """The logits in a model's output: a tensor, an object with `.logits`, or several heads' mean.

    Raises:
        UsageError: the output is none of these.
    """
    output = getattr(output, "logits", output)
    if isinstance(output, tuple | list) and output and all(isinstance(part, Tensor) for part in output):
        return torch.stack(tuple(output)).mean(0)
    if isinstance(output, Tensor):
        return output
    given = type(output).__name__
    raise UsageError(
        f"the model returned {given}; allowed are logits, an object with .logits, or a tuple of logits"
    )
