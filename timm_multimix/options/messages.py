"""Errors as the command line prints them."""

import re

from .declaration import declared, flag
from .evaluation import EvaluateOptions
from .train import TrainOptions

_NAME = re.compile(r"`([a-z_]+)`")


def error_line(error: BaseException) -> str:
    """The one line of an error, in which options have their flags.

    Code below the command line knows no flags: it writes an option as it is called in Python, in backquotes,
    such as `image_column`.
    """
    names = declared(TrainOptions).keys() | declared(EvaluateOptions).keys()
    text = _NAME.sub(lambda found: flag(found[1]) if found[1] in names else found[0], str(error))
    return " ".join(text.split())
