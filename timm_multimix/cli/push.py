"""`timm-multimix push`: publish a finished run, or finish what its training could not upload."""

import sys
from pathlib import Path

from ..errors import UsageError
from ..options.parser import parse
from ..options.publishing import PushOptions


def main(argv: list[str]) -> int:
    """Push what of a run is not there yet.

    Raises: UsageError for a run that is not finished, and where the Hub does not take it.
    """
    options = parse(PushOptions, argv)
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
        if options.dry_run:
            write_files(options, options.dry_run)
        else:
            push(options)
    return 0


def check(options: PushOptions) -> None:
    """Find the mistakes that show before torch is loaded.

    Raises: UsageError for no finished run, a directory to write that exists, or a missing token.
    """
    from ..connection.client import check_token
    from ..records import check_finished

    check_finished(options.run)
    if options.dry_run and options.dry_run.exists():
        raise UsageError(f"--dry-run {options.dry_run} exists; choose a new directory")
    if not options.dry_run:
        check_token()


def push(options: PushOptions) -> None:
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


def write_files(options: PushOptions, directory: Path) -> None:
    """Write what would be published to a new directory."""
    from ..hub.publish import set_license, stage_result
    from ..hub.record import read_run
    from ..hub.stage import make_readme

    read_run(options.run)
    if options.license:
        set_license(options.run, options.license)
    folder = stage_result(options.run, directory)
    (folder / "README.md").write_bytes(make_readme(folder, options.repo_id))
    print(f"{folder} holds what {options.repo_id} would")
