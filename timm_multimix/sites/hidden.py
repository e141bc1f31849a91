"""Mixing points: permanent hooks on hidden layers that do nothing until a forward pass is to be mixed there.

They are added once, because hooks added after torch.compile never run.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .._compat.torch import in_backward
from ..errors import UsageError
from ..functional import Draw, Masks
from ..functional.catch_up_mix import Channels
from ..functional.resize import Resized
from .cuts import Cut, find_cut, find_layer

__all__ = ["MixingPoint", "MixingPoints", "Sample", "find_layer"]

Sample = Callable[[Tensor], Draw]

_OF_ONE_SHAPE = (Channels, Masks, Resized)
"""Draws of parts of a map, which fit maps of its shape."""


class MixingPoint:
    """A hook that mixes the output of one module when it is armed, with a draw made for that output.

    After its forward pass a point stays active for backward only: a checkpointed block that is run again
    there gets the same draw. Any other pass through the module is not changed.
    """

    def __init__(self, layer: int | str, cut: Cut, channels_last: bool = False) -> None:
        self.layer, self.cut, self.channels_last = layer, cut, channels_last
        self.batch = 0
        self.sample: Sample | None = None
        self.draw: Draw | None = None
        self.open = False
        self.alone = True
        self.calls = self.calls_again = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it as new: the state is that of one pass."""
        return MixingPoint, (self.layer, self.cut, self.channels_last)

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        return output if self.sample is None else self._mix_output(output)

    def mix_input(self, index: int, module: nn.Module, args: tuple[Any, ...]) -> Any:
        """Mix an input that bypasses the layer by the same draw; a forward pre-hook."""
        return None if self.draw is None else self._mix_input(index, args)

    @torch.compiler.disable
    def _mix_output(self, output: Any) -> Any:
        if not (self.open or self._runs_again()):
            return output
        self._count()
        floating = [tensor for tensor in _tensors(output) if tensor.is_floating_point()]
        examples = [tensor for tensor in floating if tensor.shape[:1] == (self.batch,)]
        if not examples or not all(map(self._is_of_examples, floating)):
            raise self._refusal(output)
        if self.draw is None and self.sample is not None:
            self.draw = self.sample(self._channels_first(examples[0]))
        self._check_shapes(floating)
        return _mapped(self._mix, output)

    def _check_shapes(self, outputs: list[Tensor]) -> None:
        """Check that a draw of parts of a map, made for one output, fits all."""
        shapes = list(dict.fromkeys(tensor.shape[1:] for tensor in outputs))
        if len(shapes) > 1 and isinstance(self.draw, _OF_ONE_SHAPE):
            given = " and ".join(str(list(shape)) for shape in shapes)
            raise UsageError(
                f"mixing at layer {self.layer!r} must have outputs of one shape to mix parts of them, got "
                f"{given}; choose another layer, or a mixer that blends"
            )

    @torch.compiler.disable
    def _mix_input(self, index: int, args: tuple[Any, ...]) -> Any:
        if not (self.open or self._runs_again()):
            return None
        return (*args[:index], _mapped(self._mix, args[index]), *args[index + 1 :])

    def _count(self) -> None:
        """Count the forward passes, and those of a checkpointed block in backward, of which there is one.

        A second one is that of an earlier pass, whose draw is gone.
        """
        if not in_backward():
            self.calls += 1
            return
        self.calls_again += 1
        if self.calls_again > 1:
            raise UsageError(
                f"mixing at layer {self.layer!r} must have backward called for each training call under "
                "gradient checkpointing, got one for several"
            )

    def _runs_again(self) -> bool:
        """Whether this is a checkpointed block in backward, which must be mixed as in its forward pass."""
        if in_backward() and not self.alone:
            raise UsageError(
                f"mixing at layer {self.layer!r} must be in the only pass of a step under gradient "
                "checkpointing, got a sum with another pass"
            )
        return in_backward()

    def _is_of_examples(self, tensor: Tensor) -> bool:
        rows = len(tensor) if tensor.dim() else 0
        return rows == self.batch or (self.cut.grouped and rows > 0 and rows % self.batch == 0)

    def _refusal(self, output: Any) -> UsageError:
        shapes = [list(tensor.shape) for tensor in _tensors(output)]
        given = ", ".join(map(str, shapes)) or type(output).__name__
        return UsageError(
            f"mixing at layer {self.layer!r}: its outputs must have batch dimension {self.batch}, got shape "
            f"{given}"
        )

    def _mix(self, tensor: Tensor) -> Tensor:
        if self.draw is None or not tensor.is_floating_point():
            return tensor
        if len(tensor) != self.batch and self.cut.grouped:
            return self.draw(tensor.unflatten(0, (self.batch, -1))).flatten(0, 1)
        mixed = self.draw(self._channels_first(tensor))
        return mixed.permute(0, 2, 3, 1) if self._swapped(tensor) else mixed

    def _channels_first(self, tensor: Tensor) -> Tensor:
        return tensor.permute(0, 3, 1, 2) if self._swapped(tensor) else tensor

    def _swapped(self, tensor: Tensor) -> bool:
        """Whether the channels of a map come last: by their number or, if that is ambiguous, by the model."""
        if tensor.dim() != 4:
            return False
        first, last = (tensor.shape[dim] == self.cut.width for dim in (1, 3))
        return last if first != last else self.channels_last


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, dict) else output
    is_container = isinstance(output, tuple | list | dict)
    return [tensor for part in parts for tensor in _tensors(part)] if is_container else []


def _mapped(function: Callable[[Tensor], Tensor], output: Any) -> Any:
    """Apply a function to the tensors in an output, in nested containers."""
    if isinstance(output, Tensor):
        return function(output)
    if isinstance(output, dict):
        return type(output)({key: _mapped(function, part) for key, part in output.items()})
    if not isinstance(output, tuple | list):
        return output
    parts = [_mapped(function, part) for part in output]
    return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)


class MixingPoints:
    """The mixing points of a model, by layer.

    `alone` says whether the following steps have one pass; with several passes, a checkpointed block that is
    run again cannot tell which pass it belongs to.
    """

    def __init__(self, model: nn.Module, layers: Iterable[int | str]) -> None:
        self.alone = True
        self._points: dict[int | str, MixingPoint] = {}
        channels_last = str(getattr(model, "output_fmt", "")).upper().endswith("NHWC")
        for layer in layers:
            cut = find_cut(model, layer)
            point = self._points[layer] = MixingPoint(layer, cut, channels_last)
            find_layer(model, layer).register_forward_hook(point)
            for name, index in cut.inputs:
                model.get_submodule(name).register_forward_pre_hook(partial(point.mix_input, index))

    def release(self) -> None:
        """Forget the draws: no pass is mixed until the next `mixing`."""
        for point in self._points.values():
            point.sample = point.draw = None

    @contextmanager
    def mixing(self, layer: int | str, batch: int, sample: Sample) -> Iterator[MixingPoint]:
        """Mix the output of `layer` in the one forward pass, of `batch` examples, inside the context.

        Under gradient checkpointing its backward pass must come before the next forward pass.

        Raises:
            UsageError: the first dimension of the layer's output is not the batch, or the pass did not reach
                the layer exactly once.
        """
        point = self._points[layer]
        point.draw = None
        point.sample, point.batch, point.open = sample, batch, True
        point.calls = point.calls_again = 0
        point.alone = self.alone
        try:
            yield point
        finally:
            point.open = False
        if point.calls != 1:
            raise UsageError(
                f"mixing at layer {layer!r}: the forward pass reached it {point.calls} times, not once; "
                "choose another layer, and give the model to MixTask before it is compiled or first run"
            )
