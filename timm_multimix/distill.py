"""Distillation: a teacher's targets for the clean images, which are then mixed as the labels are."""

import timm
import torch
from torch import Tensor, nn

from .errors import UsageError
from .functional.criteria import Criterion
from .sites.positions import dense_forward
from .sites.student import as_logits


class Teacher(nn.Module):
    """A frozen model's predictions, in eval mode and without gradient.

    Its inputs are normalised for the student; if the teacher's own mean and std (pretrained_cfg) differ, they
    are converted.
    """

    scale: Tensor | None
    shift: Tensor | None

    def __init__(self, model: nn.Module, student: nn.Module | None = None) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        for name, buffer in _conversion(model, student).items():
            self.register_buffer(name, buffer, persistent=False)

    def train(self, mode: bool = True) -> "Teacher":
        return super().train(False)

    def forward(self, images: Tensor, positions: int | None = None) -> Tensor:
        """Return what `teacher_logits` does."""
        # pretrained_cfg has three channels also where the model was made with another number
        if self.scale is not None and self.shift is not None and len(self.scale) == images.shape[1]:
            images = (images * self.scale + self.shift).to(images.dtype)
        return teacher_logits(self.model, images, positions)


@torch.no_grad()
def teacher_logits(model: nn.Module, images: Tensor, positions: int | None = None) -> Tensor:
    """Return logits [b, c] of a model in eval mode, or [r, b, c] if the student has r = `positions`.

    A teacher whose grid differs from the student's returns its ordinary logits for all positions.
    """
    if positions is None or not (hasattr(model, "forward_features") and hasattr(model, "forward_head")):
        return as_logits(model(images))
    dense = dense_forward(model, images)
    return dense.positions if len(dense.positions) == positions else dense.logits


def create_teacher(teacher: str | nn.Module, student: nn.Module) -> Teacher:
    """Create a teacher from a module or the name of a pretrained timm model, on the student's device.

    Raises:
        UsageError: the student itself, no such model, no pretrained weights, or another number of classes.
    """
    if isinstance(teacher, nn.Module) and {*teacher.parameters()} & {*student.parameters()}:
        raise UsageError("teacher must not be the model itself, which would freeze it; use teacher='self'")
    if isinstance(teacher, str):
        try:
            teacher = timm.create_model(teacher, pretrained=True)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise UsageError(
                f"teacher must be ema, self or a pretrained timm model, got {teacher!r}: {reason}"
            ) from error
    given, needed = getattr(teacher, "num_classes", None), getattr(student, "num_classes", None)
    if given is not None and needed is not None and given != needed:
        raise UsageError(f"teacher must have the student's {needed} classes, got {given}")
    device = next((parameter.device for parameter in student.parameters()), None)
    return Teacher(teacher, student).to(device)


def predictions(logits: Tensor, criterion: Criterion) -> Tensor:
    """Convert logits to targets, without gradient, in float32 (float64 if the logits are)."""
    logits = logits.detach()
    return criterion.prediction(logits if logits.dtype == torch.float64 else logits.float())


def _conversion(teacher: nn.Module, student: nn.Module | None) -> dict[str, Tensor | None]:
    """Scale and shift [ch, 1, 1] from the student's normalisation to the teacher's; None if they agree."""
    ours, theirs = (_mean_and_std(model) for model in (student, teacher))
    if ours is None or theirs is None or torch.equal(ours, theirs) or ours.shape != theirs.shape:
        return {"scale": None, "shift": None}
    return {"scale": ours[1] / theirs[1], "shift": (ours[0] - theirs[0]) / theirs[1]}


def _mean_and_std(model: nn.Module | None) -> Tensor | None:
    """Return mean and std [2, ch, 1, 1] by which a timm model's images are normalised."""
    config = getattr(model, "pretrained_cfg", None)
    if not config or "mean" not in config or "std" not in config:
        return None
    return torch.tensor([config["mean"], config["std"]], dtype=torch.float32)[:, :, None, None]
