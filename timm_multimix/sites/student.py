"""The model with its places of mixing, as one module, so that a distributed wrapper sees one forward pass."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ..functional import Draw, Identity
from ..functional.attention import AttentionScore
from ..functional.losses import Criterion
from ..mixers import Context, Mixer
from .attention import WatchedAttention
from .features import mix_features
from .gather import gather_rows
from .guides import compute_guide
from .hidden import MixingPoints
from .outputs import as_logits
from .positions import Dense, dense_forward

__all__ = ["Mixed", "Student", "as_logits"]


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
    """A model that can be run plainly, densely, or mixed at any place.

    criterion: what the input gradient, for mixers that are guided by it, is the gradient of.
    """

    def __init__(self, model: nn.Module, mixers: Iterable[Mixer], criterion: Criterion = "softmax") -> None:
        super().__init__()
        self.criterion = criterion
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

    def forward(
        self, images: Tensor, mixer: Mixer, generator: torch.Generator, labels: Tensor | None = None
    ) -> Mixed:
        """One training pass, mixed at the mixer's place; labels are for mixers that need a guide."""
        self.points.release()
        context = Context(generator)
        for guide in mixer.guides:
            setattr(context, guide, compute_guide(guide, self.model, images, labels, self.criterion))
        mix = {
            "input": self._mix_input,
            "hidden": self._mix_hidden,
            "embedding": self._mix_embedding,
            "positions": self._mix_positions,
            "features": self._mix_features,
        }[mixer.place]
        return mix(images, mixer, context)

    def logits(self, images: Tensor) -> Tensor:
        """The ordinary logits [b, c]."""
        return as_logits(self._calls.get("model", self.model)(images))

    def dense(self, images: Tensor, attention: AttentionScore = "product") -> Dense:
        """The ordinary logits, with those of every position, and the positions' attention."""
        features, head = self._calls.get("forward_features"), self._calls.get("forward_head")
        return dense_forward(
            self.model, images, attention_grad=True, attention=attention, features=features, head=head
        )

    def _mix_input(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        draw = mixer.sample(images, context)
        if mixer.complete is not None:
            return self._watched(draw(images), draw, mixer.complete)
        output = self.logits(draw(images))
        return Mixed(output, draw, output if isinstance(draw, Identity) else None)

    @torch.compiler.disable
    def _watched(self, mixed: Tensor, draw: Draw, complete: Callable[[Draw, Tensor], Draw]) -> Mixed:
        """The pass over mixed images whose attention completes the draw; not compiled, to be seen."""
        with WatchedAttention(self.model, mixed) as watched:
            output = as_logits(self.model(mixed))
        return Mixed(output, complete(draw, watched.class_attention()))

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

    def _mix_features(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        features, head = self._calls.get("forward_features"), self._calls.get("forward_head")
        output, draw = mix_features(
            self.model, images, lambda x: mixer.sample(x, context), features=features, head=head
        )
        return Mixed(as_logits(output), draw)

    def _mix_positions(self, images: Tensor, mixer: Mixer, context: Context) -> Mixed:
        dense = self.dense(images, mixer.attention)
        context.attention = dense.attention
        return Mixed(dense.logits, mixer.sample(dense.positions.transpose(0, 1), context), dense.positions)
