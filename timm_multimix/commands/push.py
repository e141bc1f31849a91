"""`timm-multimix push`: publish a finished run, or finish what its training could not upload."""

import sys
from argparse import Namespace
from pathlib import Path

from ..errors import UsageError
from ..options.parser import Parser
from ..options.publishing import license_id
from ..options.shared import add_log_level


def main(argv: list[str]) -> int:
    """Push what of a run is not there yet.

    Raises: UsageError for a run that is not finished, and where the Hub does not take it.
    """
    parser = Parser(
        prog="timm-multimix push",
        description="Publish a finished run on the Hub; the token is HF_TOKEN or that of `hf auth login`.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("run", metavar="RUN", type=Path, help="folder of the run")
    add("repo_id", metavar="USER/NAME", help="the repository, made if it is not there")
    add("--private", action="store_true", help="make a new repository private (default: public)")
    add(
        "--license",
        type=license_id,
        help="licence of the weights, kept in the run (default: the run's, if any)",
    )
    add("--tag-epoch", action="store_true", help="tag the commit epoch-N (default: not)")
    add("--dry-run", metavar="DIR", type=Path, help="write the files to a new folder and push nothing")
    add_log_level(add)
    options = parser.parse_args(argv)
    from huggingface_hub.utils import disable_progress_bars

    from ..hub.record import read_run
    from ..hub.target import check_repo_id
    from ..logs import start_logging
    from ..records.lock import RunLock

    start_logging(options.log_level)
    if not sys.stderr.isatty():
        disable_progress_bars()
    check_repo_id(options.repo_id)
    read_run(options.run)
    with RunLock() as lock:
        if options.license or not options.dry_run:
            lock.take(options.run)
        if options.dry_run:
            write_files(options)
        else:
            push(options)
    return 0


def push(options: Namespace) -> None:
    """Publish the run."""
    from ..hub.publish import publish_run, set_license
    from ..hub.target import open_repo

    open_repo(options.repo_id, options.private)
    if options.license:
        set_license(options.run, options.license)
    commit = publish_run(options.run, options.repo_id, options.tag_epoch)
    print(f"{options.repo_id} holds {options.run}, commit {commit}")


def write_files(options: Namespace) -> None:
    """Write what would be published."""
    from ..hub.publish import set_license, stage_result
    from ..hub.stage import make_readme

    if options.dry_run.exists():
        raise UsageError(f"--dry-run {options.dry_run} exists; choose a new folder")
    if options.license:
        set_license(options.run, options.license)
    folder = stage_result(options.run, options.dry_run)
    (folder / "README.md").write_bytes(make_readme(folder, options.repo_id))
    print(f"{folder} holds what {options.repo_id} would")
