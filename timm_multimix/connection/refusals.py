"""Plain messages for the Hub's refusals: an invalid token, no access, no such repository."""

from collections.abc import Iterator

from huggingface_hub import get_token
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

_LOGIN = "set HF_TOKEN or run `hf auth login`"


def refusal(error: BaseException) -> str | None:
    """Return why the Hub refused a request; None for other errors, and where their own message says it."""
    for cause in causes(error):
        status, said = status_of(cause), _said(cause)
        if isinstance(cause, GatedRepoError):
            return f"gated: ask for access on its Hub page, then {_LOGIN}"
        if status == 401 and get_token():
            return (
                f"the token {'has expired' if 'expired' in said.lower() else 'is not valid'} (401); {_LOGIN}"
            )
        if isinstance(cause, RepositoryNotFoundError):
            return "not on the Hub, or private"
        if status == 401:
            return f"a token is required (401); {_LOGIN}"
        if status == 403:
            return f"the token does not give access (403){': ' if said else ''}{said}"
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: the client wraps the errors of its upload threads."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error's response; None without a response."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _said(error: BaseException) -> str:
    """Return the server's message, on one line."""
    return " ".join(str(getattr(error, "server_message", None) or "").split())
