"""`push` from its options: publish a finished run, or write the files to a directory."""

from pathlib import Path

from ..connection.client import check_token
from ..errors import UsageError
from ..options.publishing import PushOptions
from ..records.lock import RunLock
from ..records.reader import check_finished


def check_push(options: PushOptions) -> None:
    """Find the mistakes that can be detected before torch is imported.

    Raises:
        UsageError: no finished run, a directory to write that exists, or a missing token.
    """
    check_finished(options.run)
    if options.dry_run and options.dry_run.exists():
        raise UsageError(f"--dry-run {options.dry_run} exists; choose a new directory")
    if not options.dry_run:
        check_token()


def push_run(options: PushOptions) -> str | Path:
    """Push the parts of a run that are not yet on the Hub.

    Returns:
        The commit that holds the run; with `dry_run`, the directory of the files.

    Raises:
        UsageError: the run is not finished, or the Hub refuses it.
    """
    check_push(options)
    with RunLock() as lock:
        if options.license or not options.dry_run:
            lock.take(options.run)
        return write_files(options, options.dry_run) if options.dry_run else push(options)


def push(options: PushOptions) -> str:
    """Publish the run, and return the commit that holds it."""
    from .publish import publish_run, set_license
    from .record import read_run
    from .target import open_repo

    record, _ = read_run(options.run)
    architecture = record["model"]["architecture"]
    open_repo(options.repo_id, options.private, architecture=architecture, overwrite=options.overwrite)
    if options.license:
        set_license(options.run, options.license)
    return publish_run(
        options.run,
        options.repo_id,
        options.tag_epoch,
        overwrite=options.overwrite,
        timeout=options.timeout,
    )


def write_files(options: PushOptions, directory: Path) -> Path:
    """Write what would be published to a new directory."""
    from .publish import set_license, stage_result
    from .record import read_run
    from .stage import make_readme

    read_run(options.run)
    if options.license:
        set_license(options.run, options.license)
    directory = stage_result(options.run, directory)
    (directory / "README.md").write_bytes(make_readme(directory, options.repo_id))
    return directory
