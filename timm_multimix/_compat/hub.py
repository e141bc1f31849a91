"""The HTTP library of huggingface_hub: requests before version 1.0, then httpx, and httpx2 from 2.0."""

import importlib
from typing import Any

import huggingface_hub
from huggingface_hub import utils
from huggingface_hub.utils import _http

_hub: Any = huggingface_hub
_private: Any = _http

TALKS_HTTPX = hasattr(_hub, "set_client_factory")
"""True with httpx and httpx2, which are used alike; False with requests."""

HEEDS_RATE_LIMITS = hasattr(_private, "parse_ratelimit_headers")
"""True if the client waits for as long as the Hub asks, which it does since some version of 1.x."""

http: Any = getattr(utils, "httpx", None) or importlib.import_module("httpx" if TALKS_HTTPX else "requests")

FAILURES: tuple[type[Exception], ...] = (
    (http.TransportError,)
    if TALKS_HTTPX
    else (http.ConnectionError, http.Timeout, http.exceptions.ChunkedEncodingError)
)
"""The errors of a request that got no answer, or a part of one."""

set_client_factory = _hub.set_client_factory if TALKS_HTTPX else _hub.configure_http_backend
close_session = _hub.close_session if TALKS_HTTPX else _private.reset_sessions


def client_factory() -> Any:
    """Return the function that makes the client of all requests; the library can only set it publicly."""
    return _private._GLOBAL_CLIENT_FACTORY if TALKS_HTTPX else _private._GLOBAL_BACKEND_FACTORY


def rate_limit_reset(headers: Any) -> float:
    """Return the seconds after which the client would retry; 0 for versions that do not read them."""
    limits = _private.parse_ratelimit_headers(headers) if HEEDS_RATE_LIMITS else None
    return limits.reset_in_seconds if limits else 0.0
