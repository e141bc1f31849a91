"""Publishing a run: its saved epochs during training, its result at the end."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from ..connection.retry import describe
from ..deadlines import within
from ..errors import UsageError
from ..files import write_text
from ..options.publishing import HUB_TIMEOUT
from .push import push_files, tag_commit
from .record import make_record, read_run, task_of
from .stage import (
    clear,
    contents,
    discard,
    epoch_directory,
    is_result,
    read_record,
    result_directory,
    stage,
    staged_epochs,
    wants_tag,
)


def stage_epoch(run: Path, summary: dict[str, Any], epoch: int, value: float, tag: bool) -> Path:
    """Copy the best weights of a run so far, with a record of what there is of it."""
    best = run / "checkpoints" / "best"
    record = make_record(run, best, summary, epoch, value)
    return stage(epoch_directory(run, epoch, tag), record, best, run / "curves.png")


def stage_result(run: Path, directory: Path) -> Path:
    """Copy the result of a finished run.

    Raises: UsageError if it is not finished.
    """
    record, model = read_run(run)
    return stage(directory, record, model, run / "curves.png")


def publish(repo_id: str, directory: Path, *, overwrite: bool = False, timeout: float = HUB_TIMEOUT) -> str:
    """Push a staged directory, and delete it once it is there.

    Args:
        repo_id: the repository.
        directory: the staged directory.
        overwrite: whether to replace what others wrote there.
        timeout: seconds after which the upload is given up.

    Returns:
        The commit that holds it.

    Raises:
        WouldOverwrite: if others' work would be lost.
        TimeoutError: if it takes too long.
    """
    commit = within(timeout, lambda: _push(repo_id, directory, overwrite))
    discard(directory)
    return commit


def _push(repo_id: str, directory: Path, overwrite: bool) -> str:
    record, api = read_record(directory), HfApi()
    published, epochs = record["published"], record["summary"]["epochs"]
    what = "Result, epoch" if is_result(directory) else "Epoch"
    task = task_of(record["summary"])
    result = f"{task.metric.label} {task.metric.format(published[task.scores[0]])}"
    message = f"{what} {published['epoch']} of {epochs}: {result}"
    commit = push_files(api, repo_id, lambda there: contents(directory, there, overwrite), message)
    if wants_tag(directory):
        tag_commit(api, repo_id, f"epoch-{published['epoch']}", commit, overwrite)
    return commit


def publish_run(
    run: Path, repo_id: str, tag: bool, *, overwrite: bool = False, timeout: float = HUB_TIMEOUT
) -> str:
    """Push a finished run, and first the epochs with tags that its training could not push.

    Args:
        run: the run's directory.
        repo_id: the repository.
        tag: whether the commit gets the tag `epoch-N`.
        overwrite: whether to replace what others wrote there.
        timeout: seconds after which an upload is given up.

    Returns:
        The commit that holds the result.

    Raises:
        UsageError: if it is not finished, or the Hub does not take it.
    """
    wanted = tag or result_directory(run, True).exists()  # by the training, where that could not
    result = stage_result(run, result_directory(run, wanted))
    waiting = [directory for directory in staged_epochs(run) if wants_tag(directory)]
    try:
        commits = [
            publish(repo_id, directory, overwrite=overwrite, timeout=timeout)
            for directory in [*waiting, result]
        ]
    except UsageError:
        raise
    except Exception as error:  # which library's, depends on the version of huggingface_hub
        raise UsageError(f"{repo_id} on the Hub did not take {run}: {describe(error)}") from error
    clear(run)
    return commits[-1]


def set_license(run: Path, license: str) -> None:
    """Write the licence of a run's weights into its model's config."""
    path = run / "model" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["pretrained_cfg"]["license"] = license
    write_text(path, json.dumps(config, indent=2) + "\n")
