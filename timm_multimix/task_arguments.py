"""Checks of the arguments of MixTask; each raises UsageError with the argument, the rule and the value."""

import warnings
from numbers import Integral

import torch
from torch import nn

from .errors import UsageError
from .functional.criteria import AnyCriterion, Criterion, Function, Softmax, find_criterion
from .mixers import Mixture
from .mixers.arguments import fraction, whole
from .schedule import MixSchedule


def check_model(model: object) -> None:
    """Check that the model is one, not its name."""
    if not isinstance(model, nn.Module):
        raise UsageError(f"model must be a torch.nn.Module, as timm.create_model returns, got {model!r}")
    find = getattr(model, "get_classifier", None)
    if getattr(model, "num_classes", None) == 0 and find is not None and isinstance(find(), nn.Identity):
        raise UsageError("model must have a classifier, got one with num_classes=0")


def check_objective(criterion: AnyCriterion, smoothing: float, distill: float) -> None:
    """Check criterion, smoothing and distillation weight."""
    found = find_criterion(criterion)
    for name, value in (("smoothing", smoothing), ("distill", distill)):
        if value and found.hard:
            raise UsageError(f"{name} must be 0 with {found.name}, which takes hard labels, got {value!r}")
        fraction(name, value)
    if smoothing and found.regression:
        raise UsageError(
            f"smoothing must be 0 with {found.name}, whose targets are values, got {smoothing!r}"
        )
    if distill and isinstance(found, Function):
        found.prediction(torch.zeros(1, 1))  # raises where nothing says what a teacher's targets are


def check_schedule(schedule: object, total_steps: object) -> None:
    """Check that a schedule comes with the length of training."""
    if not isinstance(schedule, str | MixSchedule | None):
        raise UsageError(f"schedule must be a string such as '0.1-0.8' or a MixSchedule, got {schedule!r}")
    if schedule is not None and (not isinstance(total_steps, Integral) or total_steps < 1):
        raise UsageError(
            f"total_steps must be the number of training calls with a schedule, got {total_steps!r}"
        )


def check_seed(seed: object) -> None:
    """Check that the seed is a whole number."""
    whole("seed", seed)


def check_teacher(teacher: object, distill: float, distill_warmup: int) -> None:
    """Check teacher and warm-up, and warn of a teacher that is not used."""
    if not isinstance(teacher, str | nn.Module):
        raise UsageError(
            f"teacher must be 'ema', 'self', a model or a pretrained model's name, got {teacher!r}"
        )
    if not isinstance(distill_warmup, int) or distill_warmup < 0:
        raise UsageError(f"distill_warmup must be a number of calls of at least 0, got {distill_warmup!r}")
    if not distill and (teacher != "ema" or distill_warmup):
        warnings.warn("teacher and distill_warmup have no effect with distill=0", stacklevel=3)


def check_mixture(mixture: Mixture) -> Mixture:
    """Check that a mixture leaves smoothing and seed to the task, which smooths one label for an image."""
    if mixture.smoothing or mixture.seed or mixture.multi_label:
        raise UsageError(
            "mix must have no smoothing, seed or multi_label of its own; give those to MixTask or train, "
            "which take the first two"
        )
    return mixture


def check_outputs(outputs: int, criterion: Criterion, mixture: Mixture) -> None:
    """Check the number of a model's outputs against the criterion, and the mixture's number of classes."""
    if outputs == 1 and isinstance(criterion, Softmax):
        raise UsageError(
            "criterion must be sigmoid or mse for a model of one output, of which softmax is always 1, "
            f"got {criterion.name}"
        )
    if mixture.num_classes not in (None, outputs):
        raise UsageError(
            f"num_classes of mix must be {outputs}, the model's outputs, got {mixture.num_classes}"
        )
