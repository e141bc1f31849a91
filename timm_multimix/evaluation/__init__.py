"""What a trained classifier is worth: accuracy, calibration, robustness, unknown data, embedding, mixing."""

from .run import run

__all__ = ["run"]
