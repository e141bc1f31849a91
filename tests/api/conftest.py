"""Runs of the trainer's tests."""

from tests.training.conftest import blank_curves  # noqa: F401
