"""The repository to publish to: its name, and whether it can be written to."""

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from timm_multimix.errors import UsageError

from .retry import describe, retried


def check_repo_id(repo_id: str) -> None:
    """Raises: UsageError for what is no USER/NAME of the Hub."""
    try:
        validate_repo_id(repo_id)
        valid = repo_id.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise UsageError(
            f"Hub id {' '.join(repo_id.split())!r}: expected USER/NAME of letters, digits, '-', '_' and '.'"
        )


def check_token() -> None:
    """Raises: UsageError where neither the environment nor `hf auth login` have a token."""
    if not get_token():
        raise UsageError("no token for the Hub: set HF_TOKEN or run `hf auth login`")


def open_repo(repo_id: str, private: bool = False) -> None:
    """Create the repository unless it is there.

    Raises: UsageError if it cannot be written to, or is to be private and is public already.
    """
    check_repo_id(repo_id)
    check_token()
    api = HfApi()
    try:
        retried(lambda: api.create_repo(repo_id, private=private or None, exist_ok=True))
        is_private = retried(lambda: api.model_info(repo_id)).private
    except Exception as error:  # which library's, depends on the version of huggingface_hub
        raise UsageError(f"cannot write to {repo_id} on the Hub: {describe(error)}") from error
    if private and not is_private:
        raise UsageError(f"{repo_id} exists on the Hub and is public; only a new one can be made private")
