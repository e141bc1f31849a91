"""The options of publishing a run on the Hub. There is none for a token, since options are recorded."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from .declaration import REQUIRED, Arms, Options, Part, option
from .shared import LogLevel, log_level

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")


def license_id(text: str) -> str:
    """A licence as the Hub names them."""
    if not _LICENSE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"expected a licence of the Hub such as apache-2.0, mit, cc-by-4.0, got {text!r}"
        )
    return text


License = Annotated[str, license_id]


@dataclass(frozen=True, kw_only=True)
class HubOptions(
    Part,
    title="publishing",
    description="The token is that of HF_TOKEN or `hf auth login`.",
    recorded=False,
    bears_on_result=False,
    arms=Arms.AFTERWARDS,
):
    """Where a run is published, if at all."""

    push_to_hub: bool = option(
        False,
        "publish the best epochs as they come, and the result (default: not)",
        requires=("hub_model_id",),
    )
    hub_model_id: str | None = option(
        None,
        "the repository, created if it does not exist (default: none)",
        "USER/NAME",
        needs=("push_to_hub",),
    )
    hub_private: bool = option(
        False, "make a new repository private (default: public)", needs=("push_to_hub",)
    )
    hub_license: License | None = option(
        None,
        "licence of the weights, such as apache-2.0 (default: none is stated)",
        "LICENSE",
        needs=("push_to_hub",),
    )
    hub_tag_epochs: bool = option(
        False,
        "publish every best epoch, with the tag epoch-N (default: the newest, without)",
        needs=("push_to_hub",),
    )

    @property
    def target(self) -> str | None:
        """The repository to publish to, if a run is to be published."""
        return self.hub_model_id if self.push_to_hub else None


@dataclass(frozen=True, kw_only=True)
class PushOptions(
    Options,
    prog="timm-multimix push",
    description="Publish a finished run on the Hub; the token is HF_TOKEN or that of `hf auth login`.",
):
    """What is pushed, and where to."""

    run: Path = option(REQUIRED, "directory of the run", "RUN", positional=True)
    repo_id: str = option(
        REQUIRED, "the repository, created if it does not exist", "USER/NAME", positional=True
    )
    private: bool = option(False, "make a new repository private (default: public)")
    license: License | None = option(
        None, "licence of the weights, kept in the run (default: the run's, if any)", "LICENSE"
    )
    tag_epoch: bool = option(False, "tag the commit epoch-N (default: not)")
    dry_run: Path | None = option(
        None, "write the files to a new directory and push nothing (default: push)", "DIR"
    )
    log_level: LogLevel = log_level()
