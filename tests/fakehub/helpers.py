"""Helpers that the tests of the Hub share."""

import pytest
from huggingface_hub import errors

from timm_multimix._compat.hub import HEEDS_RATE_LIMITS, TALKS_HTTPX, http

NAME = "tester/net"
WEIGHTS = bytes(range(256)) * 400
TIMEOUTS: tuple[type[Exception], ...] = (
    (http.TimeoutException,) if TALKS_HTTPX else (http.Timeout, http.ConnectionError)
)
patient_client = pytest.mark.skipif(
    not HEEDS_RATE_LIMITS, reason="this version of huggingface_hub repeats fewer requests by itself"
)


def refusal(caught: pytest.ExceptionInfo[errors.HfHubHTTPError]) -> tuple[int, str | None]:
    """Status and error code of a refused request."""
    response = caught.value.response
    return response.status_code, response.headers.get("X-Error-Code")
