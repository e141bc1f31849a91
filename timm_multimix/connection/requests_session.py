"""Time-outs of a session of requests, which huggingface_hub uses before version 1.0."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from .patience import Progress, silence


def bound_session(session: Any) -> None:
    """Give all requests of a session time-outs."""
    for adapter in session.adapters.values():
        adapter.send = partial(_send, adapter.send)
        if hasattr(adapter, "poolmanager"):
            adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _send(send: Callable[..., Any], request: Any, timeout: Any = None, **options: Any) -> Any:
    """Send a request, with time-outs if the caller gave none."""
    return send(request, timeout=timeout or (silence() / 3, silence()), **options)


class _Connection(HTTPConnection):
    sock: Any

    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _SecureConnection(HTTPSConnection):
    sock: Any

    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Socket:
    """A socket that aborts a response which arrives too slowly, see `Progress`."""

    def __init__(self, sock: Any) -> None:
        self._sock, self._progress = sock, Progress()

    def sendall(self, *args: Any) -> None:
        self._progress.begin()
        self._sock.sendall(*args)

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        file = self._sock.makefile(*args, **kwargs)
        file.raw._sock = self  # the file reads through this object's recv_into
        return file

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        began = time.monotonic()
        count: int = self._sock.recv_into(*args, **kwargs)
        self._progress.add(time.monotonic() - began, count)
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
