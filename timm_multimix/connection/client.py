"""Time-outs for all requests of huggingface_hub, most of which have none.

One number bounds them all, the longest silence of a Hub: 30 seconds, or the environment variable
TIMM_MULTIMIX_HUB_SILENCE.
"""

import math
import os
import time
from collections.abc import Callable
from typing import Any

from huggingface_hub import constants, get_token, set_client_factory
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import _http, get_session, httpx

from ..errors import UsageError

VARIABLE = "TIMM_MULTIMIX_HUB_SILENCE"
SILENCE = 30.0
FEWEST_BYTES = 1000
"""An answer of which fewer bytes arrive in `patience()` seconds is given up: it would take for ever."""
LONGEST_RETRY_AFTER = 300
"""Seconds: the Hub counts requests in windows of five minutes; huggingface_hub would wait for any number."""


def silence() -> float:
    """Seconds for which a request waits for the Hub to say anything.

    Raises:
        UsageError: if the environment variable is not a number above 0.
    """
    text = os.environ.get(VARIABLE, str(SILENCE))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{VARIABLE} must be a number of seconds > 0, got {text!r}")
    return seconds


def patience() -> float:
    """Seconds after which a failed request is not tried again, and a slow answer must have got somewhere."""
    return 2 * silence()


def bound_requests() -> None:
    """Give all requests of huggingface_hub in this process time-outs; a second call changes nothing."""
    make = _http._GLOBAL_CLIENT_FACTORY
    if not isinstance(make, _Bounded):
        set_client_factory(_Bounded(make))


def check_token() -> None:
    """Raises: UsageError where neither the environment nor `hf auth login` have a token."""
    if not get_token():
        raise UsageError("no token for the Hub: set HF_TOKEN or run `hf auth login`")


def unreachable(ask: Callable[[], object] | None = None) -> str | None:
    """Why the Hub cannot be reached; asked first, as the client would retry for minutes.

    Args:
        ask: the request that tells; one for the headers of the Hub's first page where it does not matter.

    Returns:
        None if it can be reached.

    Raises:
        RepositoryNotFoundError: or another error by which the Hub says that it does not have that.
    """
    from .retry import describe, retried  # which bounds its requests by this module

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        retried(ask or (lambda: get_session().head(constants.ENDPOINT, timeout=silence() / 3)), 2)
    except (UsageError, RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise
    except Exception as error:  # which library's, depends on the version of huggingface_hub
        return describe(error)
    return None


class _Bounded:
    """A client factory whose clients wait for bounded times; `make` is the factory there was before."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self) -> Any:
        client = self.make()
        hooks = client.event_hooks
        hooks["request"] = [_limit_waits, *hooks["request"]]
        hooks["response"] = [_limit_retry_after, *hooks["response"]]
        client.event_hooks = hooks
        for transport in (
            client._transport,
            *client._mounts.values(),
        ):  # there is no public way to the sockets
            pool: Any = getattr(transport, "_pool", None)
            if hasattr(pool, "_network_backend"):
                pool._network_backend = _Backend(pool._network_backend)
        return client


def _limit_waits(request: Any) -> None:
    """Time-outs where the caller gave none."""
    limits = {"connect": silence() / 3, "read": silence(), "write": silence(), "pool": silence()}
    given = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = limits | {k: v for k, v in given.items() if v is not None}


def _limit_retry_after(response: Any) -> None:
    """Forget for how long a server wants to be left alone where that is unreasonable."""
    limits = _http.parse_ratelimit_headers(response.headers)
    asked = response.headers.get("Retry-After", "")
    if limits is not None and limits.reset_in_seconds > LONGEST_RETRY_AFTER:
        del response.headers["RateLimit"]
    if asked.isdigit() and int(asked) > LONGEST_RETRY_AFTER:
        response.headers["Retry-After"] = str(LONGEST_RETRY_AFTER)


class _Backend:
    """Makes connections that notice an answer of a byte now and then."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _Connection(self._backend.connect_tcp(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Connection:
    """A connection whose answers must get somewhere: a read time-out alone never ends a trickle."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._seconds, self._bytes = stream, 0.0, 0

    def write(self, *args: Any, **kwargs: Any) -> None:
        self._seconds, self._bytes = 0.0, 0  # another request
        self._stream.write(*args, **kwargs)

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        began = time.monotonic()
        data: bytes = self._stream.read(*args, **kwargs)
        self._seconds, self._bytes = self._seconds + time.monotonic() - began, self._bytes + len(data)
        if self._seconds > patience():
            if self._bytes < FEWEST_BYTES:
                raise httpx.ReadTimeout(f"{self._bytes} bytes in {self._seconds:.0f} seconds")
            self._seconds, self._bytes = 0.0, 0
        return data

    def start_tls(self, *args: Any, **kwargs: Any) -> "_Connection":
        return _Connection(self._stream.start_tls(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
