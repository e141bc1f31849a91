"""SciPy, which comes with this package but not with timm."""

import importlib
from typing import Any

from ..errors import UsageError


def scipy_module(name: str) -> Any:
    """Import a module of SciPy when it is first needed.

    Raises:
        UsageError: SciPy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError as error:
        raise UsageError("puzzlemix needs SciPy, which is not installed; run `pip install scipy`") from error
