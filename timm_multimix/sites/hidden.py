"""Mixing points: permanent hooks on hidden layers, idle until a forward pass is to be mixed there.

They are added once, because hooks added after torch.compile never fire, and sit on the last child of a
Sequential, because gradient checkpointing bypasses hooks on containers.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..functional import Draw

Sample = Callable[[Tensor], Draw]


class MixingPoint:
    """Mixes the output of one module when armed, with the draw made for that output.

    After its forward pass a point stays ready for backward alone: a checkpointed block that is run again
    there gets the same draw. Any other pass through the module is left as it is.
    """

    def __init__(self, layer: int | str, channels_last: bool = False) -> None:
        self.layer, self.channels_last = layer, channels_last
        self.batch = 0
        self.sample: Sample | None = None
        self.draw: Draw | None = None
        self.open = False
        self.calls = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "MixingPoint":
        return MixingPoint(self.layer, self.channels_last)

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        return output if self.sample is None else self._mix(output)

    @torch.compiler.disable
    def _mix(self, output: Any) -> Any:
        # Recomputation of a checkpointed block happens inside backward, and nothing else of a step does.
        recomputed = torch._C._current_graph_task_id() != -1
        if not (self.open or recomputed):
            return output
        self.calls += not recomputed
        tensors = output if isinstance(output, tuple | list) else (output,)
        self._check(tensors[0])
        if self.draw is None and self.sample is not None:
            self.draw = self.sample(self._channels_first(tensors[0]))
        mixed = [self._apply(tensor) for tensor in tensors]
        return type(output)(mixed) if isinstance(output, tuple | list) else mixed[0]

    def _check(self, tensor: Any) -> None:
        if not isinstance(tensor, Tensor) or len(tensor) != self.batch:
            given = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UsageError(
                f"mixing at layer {self.layer!r}: its output is {given}, allowed are tensors that begin with "
                f"the batch's {self.batch} examples"
            )

    def _apply(self, tensor: Any) -> Any:
        if self.draw is None or not (isinstance(tensor, Tensor) and tensor.is_floating_point()):
            return tensor
        mixed = self.draw(self._channels_first(tensor))
        return mixed.permute(0, 2, 3, 1) if self._swapped(tensor) else mixed

    def _channels_first(self, tensor: Tensor) -> Tensor:
        return tensor.permute(0, 3, 1, 2) if self._swapped(tensor) else tensor

    def _swapped(self, tensor: Tensor) -> bool:
        return self.channels_last and tensor.dim() == 4


class MixingPoints:
    """The mixing points of a model, by layer."""

    def __init__(self, model: nn.Module, layers: Iterable[int | str]) -> None:
        self._points: dict[int | str, MixingPoint] = {}
        channels_last = str(getattr(model, "output_fmt", "")).upper().endswith("NHWC")
        for layer in layers:
            self._points[layer] = MixingPoint(layer, channels_last)
            _last_child(find_layer(model, layer)).register_forward_hook(self._points[layer])

    def release(self) -> None:
        """Forget what was drawn: no pass is mixed until the next `mixing`."""
        for point in self._points.values():
            point.sample = point.draw = None

    @contextmanager
    def mixing(self, layer: int | str, batch: int, sample: Sample) -> Iterator[MixingPoint]:
        """Mix the output of `layer` in the one forward pass, of `batch` examples, inside the context.

        Under gradient checkpointing its backward pass must come before the next forward pass.

        Raises:
            UsageError: the layer's output does not begin with the examples.
            RuntimeError: that pass did not reach the layer exactly once.
        """
        point = self._points[layer]
        self.release()
        point.sample, point.batch, point.open, point.calls = sample, batch, True, 0
        try:
            yield point
        finally:
            point.open = False
        if point.calls != 1:
            raise RuntimeError(
                f"mixing at layer {layer!r}: the forward pass reached it {point.calls} times, not once; "
                "choose another layer, and give the model to MixTask before it is compiled or first run"
            )


def find_layer(model: nn.Module, layer: int | str) -> nn.Module:
    """The module that a layer names: the k-th stage of the model's feature_info, or a module's own name.

    Raises:
        UsageError: there is no such stage or module; the message lists the stages.
    """
    info = getattr(model, "feature_info", None) or []
    stages = [stage["module"] for stage in getattr(info, "info", info)]
    if isinstance(layer, int) and not 1 <= layer <= len(stages):
        raise UsageError(f"layer {layer} given, the stages of {type(model).__name__} are {_numbered(stages)}")
    name = stages[layer - 1] if isinstance(layer, int) else layer
    try:
        return model.get_submodule(name.replace("/", "."))
    except AttributeError:
        stages_text = _numbered(stages)
        raise UsageError(
            f"layer {name!r} given, {type(model).__name__} has no such module; its stages are {stages_text}"
        ) from None


def _numbered(stages: list[str]) -> str:
    return ", ".join(f"{k} ({name})" for k, name in enumerate(stages, 1)) or "none: give a module's name"


def _last_child(module: nn.Module) -> nn.Module:
    while isinstance(module, nn.Sequential) and len(module):
        module = module[-1]
    return module
