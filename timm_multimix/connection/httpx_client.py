"""Bounded waits of an httpx client, by which huggingface_hub talks from version 1.0 on."""

import time
from typing import Any

from .._compat.hub import http, rate_limit_reset
from .patience import Progress, silence

LONGEST_RETRY_AFTER = 300
"""Seconds: the Hub counts requests in windows of five minutes; huggingface_hub would wait for any number."""


def bound_client(client: Any) -> None:
    """Give all requests of a client time-outs."""
    hooks = client.event_hooks
    hooks["request"] = [_limit_waits, *hooks["request"]]
    hooks["response"] = [_limit_retry_after, *hooks["response"]]
    client.event_hooks = hooks
    for transport in (client._transport, *client._mounts.values()):  # there is no public way to the sockets
        pool: Any = getattr(transport, "_pool", None)
        if hasattr(pool, "_network_backend"):
            pool._network_backend = _Backend(pool._network_backend)


def _limit_waits(request: Any) -> None:
    """Time-outs where the caller gave none."""
    limits = {"connect": silence() / 3, "read": silence(), "write": silence(), "pool": silence()}
    given = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = limits | {k: v for k, v in given.items() if v is not None}


def _limit_retry_after(response: Any) -> None:
    """Forget for how long a server wants to be left alone where that is unreasonable."""
    asked = response.headers.get("Retry-After", "")
    if rate_limit_reset(response.headers) > LONGEST_RETRY_AFTER:
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
    """A connection whose answers must get somewhere."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._progress = stream, Progress()

    def write(self, *args: Any, **kwargs: Any) -> None:
        self._progress.begin()
        self._stream.write(*args, **kwargs)

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        began = time.monotonic()
        data: bytes = self._stream.read(*args, **kwargs)
        try:
            self._progress.add(time.monotonic() - began, len(data))
        except TimeoutError as error:
            raise http.ReadTimeout(str(error)) from error
        return data

    def start_tls(self, *args: Any, **kwargs: Any) -> "_Connection":
        return _Connection(self._stream.start_tls(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
