"""Time limits of requests to the Hub.

All of them follow from one number, the longest silence of the Hub: 30 seconds, or the environment variable
TIMM_MULTIMIX_HUB_SILENCE.
"""

import math
import os

from ..errors import UsageError

VARIABLE = "TIMM_MULTIMIX_HUB_SILENCE"
SILENCE = 30.0
FEWEST_BYTES = 1000
"""A response of which fewer bytes arrive in `patience()` seconds is aborted."""


def silence() -> float:
    """Return the seconds after which a silent Hub is given up.

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
    """Return the seconds after which a failed request is not retried, and a slow response is aborted."""
    return 2 * silence()


class Progress:
    """Counts received bytes: a read time-out alone never ends a response of a byte now and then."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start to count for a new request."""
        self._seconds, self._bytes = 0.0, 0

    def add(self, seconds: float, count: int) -> None:
        """Add the bytes that arrived in some seconds.

        Raises:
            TimeoutError: fewer than `FEWEST_BYTES` arrived in `patience()` seconds.
        """
        self._seconds, self._bytes = self._seconds + seconds, self._bytes + count
        if self._seconds <= patience():
            return
        if self._bytes < FEWEST_BYTES:
            raise TimeoutError(f"{self._bytes} bytes in {self._seconds:.0f} seconds")
        self.begin()
