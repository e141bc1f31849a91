"""The commands as functions of Python: what they return is for notebooks and scripts."""

from .run import Run
from .training import train

__all__ = ["Run", "train"]
