"""Checks of what a MixTask is made with; each raises UsageError: what was given, and what is allowed."""

import warnings

from .errors import UsageError
from .functional import HardPairs
from .functional.losses import Criterion
from .functional.tuple_loss import KINDS
from .mixers import Mixture


def check_objective(criterion: Criterion, smoothing: float, distill: float) -> None:
    """A criterion that there is, and parts of targets from 0 to 1."""
    if not callable(criterion) and criterion not in KINDS:
        raise UsageError(f"criterion={criterion!r} given, allowed are {', '.join(KINDS)} or a callable")
    for name, value in (("smoothing", smoothing), ("distill", distill)):
        if value and isinstance(criterion, HardPairs):
            raise UsageError(f"{name}={value!r} given with HardPairs, which takes hard labels; allowed is 0")
        if not 0 <= value <= 1:
            raise UsageError(f"{name}={value!r} given, allowed is a number from 0 to 1")


def check_schedule(schedule: object, total_steps: int | None) -> None:
    """A schedule needs to know how long training is."""
    if schedule is not None and (total_steps is None or total_steps < 1):
        raise UsageError(f"total_steps={total_steps!r} given, a schedule needs the number of training calls")


def check_teacher(teacher: object, distill: float, distill_warmup: int) -> None:
    """A warm-up in calls; a warning for a teacher that is not asked."""
    if not isinstance(distill_warmup, int) or distill_warmup < 0:
        raise UsageError(
            f"distill_warmup={distill_warmup!r} given, allowed is a number of calls of at least 0"
        )
    if not distill and (teacher != "ema" or distill_warmup):
        warnings.warn("teacher and distill_warmup have no effect with distill=0", stacklevel=3)


def check_mixture(mixture: Mixture) -> Mixture:
    """A mixture that leaves smoothing and seed to the task."""
    if mixture.smoothing or mixture.seed:
        raise UsageError("a mixer with its own smoothing or seed given; give those to MixTask instead")
    return mixture
