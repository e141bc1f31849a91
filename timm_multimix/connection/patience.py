"""The time that a request waits for the Hub.

One number bounds all waits, the longest silence of a Hub: 30 seconds, or the environment variable
TIMM_MULTIMIX_HUB_SILENCE.
"""

import math
import os

from ..errors import UsageError

VARIABLE = "TIMM_MULTIMIX_HUB_SILENCE"
SILENCE = 30.0
FEWEST_BYTES = 1000
"""An answer of which fewer bytes arrive in `patience()` seconds is given up: it would take for ever."""


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


class Progress:
    """What has arrived of an answer: a read time-out alone never ends one of a byte now and then."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another request is sent."""
        self._seconds, self._bytes = 0.0, 0

    def add(self, seconds: float, count: int) -> None:
        """Count the bytes that arrived in some seconds.

        Raises:
            TimeoutError: if they were too few for too long.
        """
        self._seconds, self._bytes = self._seconds + seconds, self._bytes + count
        if self._seconds <= patience():
            return
        if self._bytes < FEWEST_BYTES:
            raise TimeoutError(f"{self._bytes} bytes in {self._seconds:.0f} seconds")
        self.begin()
