"""Checks of the repository to publish to: whether it can be written to without loss to others."""

from huggingface_hub import HfApi

from ..connection.client import check_token
from ..connection.names import parse_repo_id
from ..connection.patience import patience
from ..connection.retry import describe, retried
from ..deadlines import within
from ..errors import UsageError
from .remote import Remote, WouldOverwrite


def open_repo(
    repo_id: str, private: bool = False, *, architecture: str | None = None, overwrite: bool = False
) -> None:
    """Create the repository unless it is there.

    Args:
        repo_id: the repository.
        private: whether a new one is private.
        architecture: that of the run, which the repository must hold or be new, unless
        overwrite: what others wrote there may be replaced.

    Raises:
        UsageError: if it cannot be written to, or is to be private and is public already.
        WouldOverwrite: if it holds another model.
    """
    repo_id = parse_repo_id(repo_id)
    check_token()
    api = HfApi()

    def look() -> Remote:
        retried(lambda: api.create_repo(repo_id, private=private or None, exist_ok=True))
        found = retried(lambda: Remote(api, repo_id))
        if architecture is not None and not overwrite:
            retried(lambda: found.check_ours(architecture))
        return found

    try:
        there = within(patience(), look)
    except WouldOverwrite:
        raise
    except Exception as error:  # which library's, depends on the version of huggingface_hub
        raise UsageError(f"cannot write to {repo_id} on the Hub: {describe(error)}") from error
    if private and not there.private:
        raise UsageError(f"{repo_id} exists on the Hub and is public; only a new one can be made private")
