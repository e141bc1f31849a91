"""Retries of network requests, with growing pauses and bounded in number and time."""

import time
from collections.abc import Callable
from typing import TypeVar

from huggingface_hub.errors import OfflineModeIsEnabled

from .._compat.hub import FAILURES
from ..errors import UsageError
from ..redaction import redact
from .client import bound_requests
from .patience import patience
from .refusals import causes, refusal, status_of

Result = TypeVar("Result")

ATTEMPTS = 5
FIRST_PAUSE = 0.5  # seconds; doubled each time
LONGEST_PAUSE = 60.0

STALE_PARENT = 412
_PASSING = frozenset({408, STALE_PARENT, 425, 429, 500, 502, 503, 504})


def retried(action: Callable[[], Result], attempts: int = ATTEMPTS) -> Result:
    """Return the result of an action, retried after passing errors.

    The action must be safe to repeat, as a request that seems to have failed may have succeeded.

    Raises: the last error, or the first that a retry cannot help.
    """
    bound_requests()
    end = time.monotonic() + patience()  # bounds the time too, as the client retries some requests itself
    for attempt in range(attempts - 1):
        try:
            return action()
        except Exception as error:
            if not is_passing(error) or time.monotonic() > end:
                raise
            time.sleep(_pause(error, attempt))
    return action()


def is_passing(error: BaseException) -> bool:
    """Whether a retry may help: a lost connection, a time-out, an overloaded or changed repository."""
    for cause in causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return False
        status = status_of(cause)
        if status is not None:
            return status in _PASSING
        if isinstance(cause, (ConnectionError, TimeoutError, *FAILURES)):
            return True
    return False


def describe(error: BaseException) -> str:
    """Return an error of the client in one line, without tokens."""
    text = next((line for line in str(error).splitlines() if line.strip()), "").strip()
    if said := refusal(error) or (isinstance(error, (UsageError, TimeoutError)) and text):
        return redact(said)
    return redact(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _pause(error: BaseException, attempt: int) -> float:
    """Return the seconds to wait: exponential backoff, or longer if the server asks for it, within bounds."""
    response = next((cause.response for cause in causes(error) if status_of(cause) is not None), None)  # type: ignore[attr-defined]
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    return min(max(FIRST_PAUSE * 2**attempt, float(asked) if asked.isdigit() else 0.0), LONGEST_PAUSE)
