"""Records of how a mixer agrees with its paper: reference, tests and departures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """The agreement of a mixer with the method that it is named after.

    Args:
        reference: the source of the implementation: equations of the paper, code of the authors or of a
            library.
        tested: what the tests compare it with, in words.
        tests: those tests, below `tests/`, such as "functional/test_mixing.py::test_mixup_is_the_formula".
        departures: known differences to the reference; empty: none.

    Examples:
        >>> mixers.Agreement(reference="arXiv:1710.09412, equation 1", tested="a loop", tests=()).departures
        ''
    """

    reference: str
    tested: str
    tests: tuple[str, ...]
    departures: str = ""
