"""Time-outs for all requests of huggingface_hub, most of which have none."""

from collections.abc import Callable
from typing import Any

from huggingface_hub import constants, get_token
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import get_session

from .._compat.hub import TALKS_HTTPX, client_factory, set_client_factory
from ..errors import UsageError
from .patience import silence


def bound_requests() -> None:
    """Give all requests of huggingface_hub in this process time-outs; a second call changes nothing."""
    make = client_factory()
    if not isinstance(make, _Bounded):
        set_client_factory(_Bounded(make))


def check_token() -> None:
    """Check that the environment or `hf auth login` has a token. Raises: UsageError."""
    if not get_token():
        raise UsageError("no token for the Hub: set HF_TOKEN or run `hf auth login`")


def unreachable(ask: Callable[[], object] | None = None) -> str | None:
    """Return why the Hub cannot be reached. The client itself would retry for minutes before saying so.

    Args:
        ask: a request to try; default: the headers of the Hub's first page.

    Returns:
        None if it can be reached.

    Raises:
        RepositoryNotFoundError: or another error that says that the Hub has no such repository or revision.
    """
    from .retry import describe, retried  # imported here, as it imports this module

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        retried(ask or (lambda: get_session().head(constants.ENDPOINT, timeout=silence() / 3)), 2)
    except (UsageError, RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise
    except Exception as error:  # httpx's or requests', depending on the version of huggingface_hub
        return describe(error)
    return None


class _Bounded:
    """A client factory that gives its clients time-outs; `make` is the original factory."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self) -> Any:
        client = self.make()
        if TALKS_HTTPX:
            from .httpx_client import bound_client

            bound_client(client)
        else:
            from .requests_session import bound_session

            bound_session(client)
        return client
