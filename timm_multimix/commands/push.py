"""`timm-multimix push`: publish a finished run, or finish what its training could not upload."""

import sys
from argparse import Namespace
from pathlib import Path

from ..errors import UsageError
from ..options.parser import Parser
from ..options.publishing import add_timeout, license_id, repo_id
from ..options.shared import add_log_level


def build_push_parser() -> Parser:
    """All options of `push` with their defaults."""
    parser = Parser(
        prog="timm-multimix push",
        description="Publish a finished run on the Hub; the token is HF_TOKEN or that of `hf auth login`. "
        "What people wrote around the generated part of the card, and in its metadata, stays.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("run", metavar="RUN", type=Path, help="folder of the run")
    add("repo_id", metavar="USER/NAME", type=repo_id, help="the repository, made if it is not there")
    add("--private", action="store_true", help="make a new repository private (default: public)")
    add(
        "--license",
        type=license_id,
        help="licence of the weights, kept in the run (default: the run's, if any)",
    )
    add("--tag-epoch", action="store_true", help="tag the commit epoch-N (default: not)")
    add(
        "--overwrite",
        action="store_true",
        help="replace what others wrote in the repository: another model, edits of generated text and files "
        "(default: such a push is refused)",
    )
    add("--dry-run", metavar="DIR", type=Path, help="write the files to a new folder and push nothing")
    add_timeout(add, "--timeout", "longest time for one upload")
    add_log_level(add)
    return parser


def main(argv: list[str]) -> int:
    """Push what of a run is not there yet.

    Raises: UsageError for a run that is not finished, and where the Hub does not take it.
    """
    options = build_push_parser().parse_args(argv)
    check(options)
    from huggingface_hub.utils import disable_progress_bars

    from ..logs import start_logging
    from ..records.lock import RunLock

    start_logging(options.log_level)
    if not sys.stderr.isatty():
        disable_progress_bars()
    with RunLock() as lock:
        if options.license or not options.dry_run:
            lock.take(options.run)
        write_files(options) if options.dry_run else push(options)
    return 0


def check(options: Namespace) -> None:
    """Find the mistakes that show before torch is loaded.

    Raises: UsageError for no finished run, a folder to write that exists, or a missing token.
    """
    from ..hub.client import check_token
    from ..records import read_run

    read_run(options.run)
    if options.dry_run and options.dry_run.exists():
        raise UsageError(f"--dry-run {options.dry_run} exists; choose a new folder")
    if not options.dry_run:
        check_token()


def push(options: Namespace) -> None:
    """Publish the run."""
    from ..hub.publish import publish_run, set_license
    from ..hub.record import read_run
    from ..hub.target import open_repo

    record, _ = read_run(options.run)
    architecture = record["model"]["architecture"]
    open_repo(options.repo_id, options.private, architecture=architecture, overwrite=options.overwrite)
    if options.license:
        set_license(options.run, options.license)
    commit = publish_run(
        options.run,
        options.repo_id,
        options.tag_epoch,
        overwrite=options.overwrite,
        timeout=options.timeout,
    )
    print(f"{options.repo_id} holds {options.run}, commit {commit}")


def write_files(options: Namespace) -> None:
    """Write what would be published."""
    from ..hub.publish import set_license, stage_result
    from ..hub.record import read_run
    from ..hub.stage import make_readme

    read_run(options.run)
    if options.license:
        set_license(options.run, options.license)
    folder = stage_result(options.run, options.dry_run)
    (folder / "README.md").write_bytes(make_readme(folder, options.repo_id))
    print(f"{folder} holds what {options.repo_id} would")
