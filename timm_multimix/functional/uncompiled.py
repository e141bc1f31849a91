"""A decorator for functions that torch.compile is to leave alone."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

import torch

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def uncompiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """`torch.compiler.disable`, applied in compiled code alone: applied here it would import the compiler."""

    @wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        if torch.compiler.is_compiling():
            return cast(_Result, torch.compiler.disable(function)(*args, **kwargs))
        return function(*args, **kwargs)

    return call
