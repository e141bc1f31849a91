"""The options of publishing a run on the Hub. There is none for a token, since options are recorded."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..hub.names import parse_repo_id
from .licenses import parse_license
from .values import Switch, positive

HUB_TIMEOUT = 600.0
"""Seconds after which an upload is given up."""


def _argument(parse: Callable[[str], str]) -> Callable[[str], str]:
    """A parser of texts as argparse wants it."""

    def convert(text: str) -> str:
        try:
            return parse(text)
        except UsageError as error:
            raise ArgumentTypeError(str(error)) from None

    return convert


repo_id = _argument(parse_repo_id)
license_id = _argument(parse_license)


def add_timeout(add: Callable[..., Any], flag: str, meaning: str) -> None:
    """How long the Hub is waited for."""
    add(
        flag,
        type=positive,
        default=HUB_TIMEOUT,
        metavar="SECONDS",
        help=f"{meaning}; a silent Hub is given up after 30 seconds, or those of the environment variable "
        "TIMM_MULTIMIX_HUB_SILENCE (default: %(default)g)",
    )


def add_publishing(parser: ArgumentParser) -> None:
    """Where a run is published, if at all."""
    add = parser.add_argument_group(
        "publishing", "The token is that of HF_TOKEN or `hf auth login`."
    ).add_argument
    add(
        "--push-to-hub",
        "--no-push-to-hub",
        action=Switch,
        default=False,
        help="publish the best epochs as they come, and the result (default: not)",
    )
    add(
        "--hub-model-id",
        type=repo_id,
        metavar="USER/NAME",
        help="the repository, made if it is not there (default: none)",
    )
    add(
        "--hub-private",
        "--no-hub-private",
        action=Switch,
        default=False,
        help="make a new repository private (default: public)",
    )
    add(
        "--hub-license",
        type=license_id,
        metavar="LICENSE",
        help="licence of the weights, such as apache-2.0 (default: none is said)",
    )
    add(
        "--hub-tag-epochs",
        "--no-hub-tag-epochs",
        action=Switch,
        default=False,
        help="publish every best epoch, with the tag epoch-N (default: the newest, without)",
    )
    add(
        "--hub-overwrite",
        "--no-hub-overwrite",
        action=Switch,
        default=False,
        help="replace what others wrote in the repository: another model, edits of generated text and files; "
        "text around the generated part of the card stays (default: such uploads are refused)",
    )
    add_timeout(add, "--hub-timeout", "longest time for one upload, and longest wait at the end of the run")
