"""What a mixer agrees with, how that is tested, and where it departs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """How far a mixer is the method that it is named after.

    Args:
        reference: what it was written from: equations of the paper, code of the authors or of a library.
        tested: what the tests compare it with, in words.
        tests: those tests, below `tests/`, such as "functional/test_mixing.py::test_mixup_is_the_formula".
        departures: where it differs from the reference; empty: nowhere that is known.
    """

    reference: str
    tested: str
    tests: tuple[str, ...]
    departures: str = ""
