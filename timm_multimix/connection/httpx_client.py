"""Time-outs of an httpx client, which huggingface_hub uses since version 1.0."""

import time
from typing import Any

from .._compat.hub import http, rate_limit_reset
from .patience import Progress, silence

LONGEST_RETRY_AFTER = 300
"""Longest wait, in seconds: the Hub counts requests per five minutes; huggingface_hub has no limit."""


def bound_client(client: Any) -> None:
    """Give all requests of a client time-outs."""
    hooks = client.event_hooks
    hooks["request"] = [_limit_waits, *hooks["request"]]
    hooks["response"] = [_limit_retry_after, *hooks["response"]]
    client.event_hooks = hooks
    for transport in (client._transport, *client._mounts.values()):  # httpx has no public access to sockets
        pool: Any = getattr(transport, "_pool", None)
        if hasattr(pool, "_network_backend"):
            pool._network_backend = _Backend(pool._network_backend)


def _limit_waits(request: Any) -> None:
    """Set the time-outs of a request that has none."""
    limits = {"connect": silence() / 3, "read": silence(), "write": silence(), "pool": silence()}
    given = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = limits | {k: v for k, v in given.items() if v is not None}


def _limit_retry_after(response: Any) -> None:
    """Cap the pause that a server asks for at `LONGEST_RETRY_AFTER`."""
    asked = response.headers.get("Retry-After", "")
    if rate_limit_reset(response.headers) > LONGEST_RETRY_AFTER:
        del response.headers["RateLimit"]
    if asked.isdigit() and int(asked) > LONGEST_RETRY_AFTER:
        response.headers["Retry-After"] = str(LONGEST_RETRY_AFTER)


class _Backend:
    """A network backend whose connections abort responses that arrive too slowly."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _Connection(self._backend.connect_tcp(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Connection:
    """A connection that aborts a response which arrives too slowly, see `Progress`."""

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
