"""Mixers of other packages: from entry points, and from modules given by name."""

import importlib
import logging
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

from ..errors import UsageError
from ..mixer_names import GROUP

logger = logging.getLogger(__name__)


@cache
def load_installed() -> None:
    """Import the entry points in `GROUP`, once; log a warning for those that cannot be imported."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # code of other packages may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            logger.warning(
                f"the mixers of entry point {entry.name} ({entry.value}) could not be imported: {reason}"
            )


def import_modules(names: Iterable[str]) -> None:
    """Import modules that register mixers; they may also be in the working directory.

    Raises:
        UsageError: a module cannot be imported.
    """
    for name in names:
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        try:
            importlib.import_module(name)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            advice = f"; give {name.removesuffix('.py')}" if name.endswith(".py") else ""
            raise UsageError(f"--import {name}: {reason}{advice}") from error
