"""Evaluation of classifiers: accuracy, calibration, robustness, out-of-distribution detection, embedding."""

from .run import run

__all__ = ["run"]
