"""The commands as Python functions; their results are objects for notebooks and scripts."""

from .comparison import ComparedRuns, compare
from .evaluation import Measured, evaluate
from .previews import Preview, preview
from .run import Run
from .training import train

__all__ = ["ComparedRuns", "Measured", "Preview", "Run", "compare", "evaluate", "preview", "train"]
