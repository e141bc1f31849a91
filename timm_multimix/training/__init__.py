"""Training any timm model with any mixer, on Accelerate."""

from .callbacks import Callback, TrainingState
from .given import Given
from .run import Outcome, run

__all__ = ["Callback", "Given", "Outcome", "TrainingState", "run"]
