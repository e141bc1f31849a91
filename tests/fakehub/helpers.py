"""Helpers that the tests of the Hub share."""

import pytest
from huggingface_hub import errors

NAME = "tester/net"
WEIGHTS = bytes(range(256)) * 400


def refusal(caught: pytest.ExceptionInfo[errors.HfHubHTTPError]) -> tuple[int, str | None]:
    """Status and error code of a refused request."""
    response = caught.value.response
    return response.status_code, response.headers.get("X-Error-Code")
