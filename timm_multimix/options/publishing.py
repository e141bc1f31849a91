"""The options of publishing a run on the Hub. There is none for a token, since options are recorded."""

import argparse
import re
from argparse import ArgumentParser

from .values import Switch

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")


def license_id(text: str) -> str:
    """A licence as the Hub names them."""
    if not _LICENSE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"expected a licence of the Hub such as apache-2.0, mit, cc-by-4.0, got {text!r}"
        )
    return text


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
    add("--hub-model-id", metavar="USER/NAME", help="the repository, made if it is not there (default: none)")
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
