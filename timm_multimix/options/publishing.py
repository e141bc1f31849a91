"""The options of publishing a run on the Hub. There is none for a token, as options are recorded."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..connection.names import parse_repo_id
from ..errors import UsageError
from .declaration import REQUIRED, Arms, Options, Part, option
from .licenses import parse_license
from .shared import LogLevel, log_level
from .values import Positive

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


RepoId = Annotated[str, _argument(parse_repo_id)]
License = Annotated[str, _argument(parse_license)]


def timeout(meaning: str, **facts: Any) -> Any:
    """The longest wait for the Hub."""
    return option(
        HUB_TIMEOUT,
        f"{meaning}; a silent Hub is given up after 30 seconds, or those of the environment variable "
        f"TIMM_MULTIMIX_HUB_SILENCE (default: {HUB_TIMEOUT:g})",
        "SECONDS",
        **facts,
    )


@dataclass(frozen=True, kw_only=True)
class HubOptions(
    Part,
    title="publishing",
    description="The token is that of HF_TOKEN or `hf auth login`.",
    recorded=False,
    bears_on_result=False,
    arms=Arms.AFTERWARDS,
):
    """The repository to publish a run in, if any."""

    push_to_hub: bool = option(
        False,
        "publish the best epochs as they come, and the result (default: not)",
        requires=("hub_model_id",),
    )
    hub_model_id: RepoId | None = option(
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
    hub_overwrite: bool = option(
        False,
        "replace what others wrote in the repository: another model, edits of generated text and files; text "
        "around the generated part of the card stays (default: such uploads are refused)",
        needs=("push_to_hub",),
    )
    hub_timeout: Positive = timeout(
        "longest time for one upload, and longest wait at the end of the run", needs=("push_to_hub",)
    )

    @property
    def target(self) -> str | None:
        """The repository to publish to; None without `push_to_hub`."""
        return self.hub_model_id if self.push_to_hub else None


@dataclass(frozen=True, kw_only=True)
class PushOptions(
    Options,
    prog="timm-multimix push",
    description="Publish a finished run on the Hub; the token is HF_TOKEN or that of `hf auth login`. What "
    "people wrote around the generated part of the card, and in its metadata, stays.",
):
    """The run to push, and the repository."""

    run: Path = option(REQUIRED, "directory of the run", "RUN", positional=True)
    repo_id: RepoId = option(
        REQUIRED, "the repository, created if it does not exist", "USER/NAME", positional=True
    )
    private: bool = option(False, "make a new repository private (default: public)")
    license: License | None = option(
        None, "licence of the weights, kept in the run (default: the run's, if any)", "LICENSE"
    )
    tag_epoch: bool = option(False, "tag the commit epoch-N (default: not)")
    overwrite: bool = option(
        False,
        "replace what others wrote in the repository: another model, edits of generated text and files "
        "(default: such a push is refused)",
    )
    dry_run: Path | None = option(
        None, "write the files to a new directory and push nothing (default: push)", "DIR"
    )
    timeout: Positive = timeout("longest time for one upload")
    log_level: LogLevel = log_level()
